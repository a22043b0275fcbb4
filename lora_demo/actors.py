"""Long work in another process: an actor there, and the worker here that pulls its steps."""

from __future__ import annotations

import logging
import pickle
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

from lora_demo.errors import LoraDemoError
from lora_demo.long_work import SHOW_SECONDS

TRIES = 2  # of a run whose process was lost
Answer = tuple[list[bytes], bool]  # the news, and whether that was all

LOG = logging.getLogger("lora_demo")


class LostError(Exception):
    """The process of an actor is gone, and its runs with it; a new one has taken its place."""


class Actor:
    """In the other process: runs by key. Each is at work only while somebody asks for its news."""

    def __init__(self, threads: int | None = None):
        import torch

        if threads:
            torch.set_num_threads(threads)
        self._runs: dict[str, Iterator] = {}

    def begin(self, key: str, parcel: bytes) -> Answer:
        self._runs[key] = _steps(parcel)
        return self.look(key)

    def look(self, key: str) -> Answer | None:
        """Of the steps of a quarter of a second the last; one that is not to be missed, at once.

        None where there is no such run (any more).
        """
        from lora_demo.jobs import is_lasting

        steps = self._runs.get(key)
        if steps is None:
            return None
        news, until = [], time.monotonic() + SHOW_SECONDS
        try:
            for step in steps:
                news = [step]
                if is_lasting(step) or time.monotonic() > until:
                    return [pickle.dumps(step)], False
        except LoraDemoError as error:  # is raised again on the other side
            news = [error]
        except Exception as error:  # whatever it was: not all of them can be pickled
            LOG.exception("a run failed")
            news = [RuntimeError(repr(error))]
        self._runs.pop(key, None)
        return list(map(pickle.dumps, news)), True

    def end(self, key: str) -> None:
        steps = self._runs.pop(key, None)
        if steps:
            steps.close()


class ActorWorker:
    """A worker of the desk; subclasses know how to `ask` their actor."""

    def ask(self, method: str, *arguments: object) -> Answer | None:
        """What that method of the actor returns. Raises `LostError`."""
        raise NotImplementedError

    def __call__(self, function: Callable[..., Iterator], *arguments: object) -> Iterator:
        """The steps; from the first again where the actor was lost, which happens once at most."""
        parcel = pickle.dumps((function, arguments))
        for _ in range(TRIES):
            with suppress(LostError):
                yield from self._run(parcel)
                return
        raise LoraDemoError("The computer that worked on it was lost, twice. Try again.")

    def _run(self, parcel: bytes) -> Iterator:
        key, over = uuid.uuid4().hex, False
        try:
            answer = self.ask("begin", key, parcel)
            while not over:
                if answer is None:
                    raise LostError("Another actor has taken its place, and knows no such run.")
                news, over = answer
                for step in map(pickle.loads, news):
                    if isinstance(step, Exception):
                        raise step
                    yield step
                answer = None if over else self.ask("look", key)
        finally:
            if not over:
                with suppress(LostError):
                    self.ask("end", key)  # then it is free


def _steps(parcel: bytes) -> Iterator:
    function, arguments = pickle.loads(parcel)
    yield from function(*arguments)
