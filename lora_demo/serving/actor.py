"""The other end of the line: what works in a process or on a machine of its own."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Iterator

from lora_demo.errors import LoraDemoError
from lora_demo.serving.job import SHOW_SECONDS
from lora_demo.serving.transport import run_payload

Answer = tuple[list[bytes], bool]  # the news, and whether that was all

LOG = logging.getLogger("lora_demo")


class Actor:
    """Runs by key. Each is at work only while somebody asks for its news."""

    def __init__(self, threads: int):
        import torch

        torch.set_num_threads(threads)
        self._runs: dict[str, Iterator] = {}

    def begin(self, key: str, payload: bytes) -> Answer:
        self._runs[key] = run_payload(payload)
        return self.look(key)

    def look(self, key: str) -> Answer | None:
        """Of the steps of a quarter of a second the last; one that is not to be missed, at once.

        None where there is no such run (any more).
        """
        from lora_demo.serving.tasks import is_lasting

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
