"""One piece of long work: its steps, why it ended, and how to follow it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager

from lora_demo.errors import LoraDemoError, without_traceback
from lora_demo.limits import MAX_AWAY_SECONDS, MAX_JOB_SECONDS

Worker = Callable[..., Generator]  # worker(function, *arguments): the steps of that function
SHOW_SECONDS = 0.25  # between two looks at a job; a browser cannot keep up with more
CHECKS = 5  # whether a job has ended, between two looks
WAITING_LOOKS = 8  # a job in line is looked at this much less often, as each look costs time
TURN_SECONDS = 1.0  # of work, if others wait; less if the page was closed
ABANDONED_SECONDS = 5.0  # without a heartbeat: then others go first
STOPPED, OUT_OF_TIME, AWAY = "stopped", "out of time", "nobody was there"

LOG = logging.getLogger("lora_demo")

try:
    # on Hugging Face's shared graphics cards: a function must say that it needs one
    from spaces import GPU  # pyright: ignore[reportMissingImports]
except ImportError:

    def GPU(function: Callable) -> Callable:  # noqa: N802
        return function


@GPU
def work_here(function: Callable[..., Iterator], *arguments: object) -> Generator:
    """Run the function in this process: the worker of an app on one machine."""
    yield from function(*arguments)


class Job:
    """Long work for one owner (by default its own): a worker pulls the steps of `work(worker)`."""

    def __init__(
        self, work: Callable[[Worker], Generator], owner: object = None, needed_bytes: int = 0
    ):
        self.work: Callable[[Worker], Generator] | None = work
        self.needed_bytes = needed_bytes  # of tensors, from its first step to its last
        self._owner = owner
        self.newest: object = None  # the last step; None before the first
        self.error: Exception | None = None
        self.end_reason: str = ""  # why it ended before its last step: one of the three above
        self.stopped = threading.Event()
        self.done = threading.Event()
        self.dropped = False  # what it makes is not to be kept any more
        self.seconds = 0.0  # of work
        self.seen_at = time.monotonic()
        self.closed = False  # the page that showed it
        self.followed = False  # by a page or a client, yet
        self._steps: Generator | None = None

    @property
    def owner(self) -> object:
        return self._owner or self

    @property
    def is_abandoned(self) -> bool:
        return self.closed or time.monotonic() - self.seen_at > ABANDONED_SECONDS

    def heartbeat(self) -> None:
        """Note that somebody follows this job now."""
        self.seen_at = time.monotonic()
        self.closed, self.followed = False, True

    def drop(self) -> None:
        """Keep nothing of what it made or will make."""
        self.dropped = True
        if self.done.is_set():
            self.newest = None

    def run(self, worker: Worker, others_wait: Callable[[], bool]) -> None:
        """Work until it is done, or for one turn if others wait for the worker."""
        began = time.monotonic()
        earlier = self.seconds
        try:
            if self.work and not self._steps:
                self._steps = self.work(worker)
            self.end_reason = self.reason_to_end
            for step in self._steps if self._steps and not self.end_reason else ():
                self.newest = step
                self.seconds = earlier + time.monotonic() - began
                self.end_reason = self.reason_to_end
                if self.end_reason:
                    break
                turn_is_over = self.is_abandoned or self.seconds - earlier > TURN_SECONDS
                if turn_is_over and others_wait():
                    return
        except LoraDemoError as error:
            self.error = without_traceback(error)
        except Exception as error:  # the worker goes on with the next job
            LOG.exception("a job failed")
            self.error = without_traceback(error)
        self.finish()

    def finish(self) -> None:
        try:
            if self._steps:
                self._steps.close()
        except Exception:  # nobody is to wait for ever
            LOG.exception("a job did not end well")
        finally:
            self.work = self._steps = None  # they hold what it worked on
            self.done.set()
            if self.dropped:
                self.newest = None

    @property
    def reason_to_end(self) -> str:
        if self.stopped.is_set():
            return STOPPED
        if self.seconds > MAX_JOB_SECONDS:
            return OUT_OF_TIME
        return AWAY if time.monotonic() - self.seen_at > MAX_AWAY_SECONDS else ""


def wait_for(job: Job) -> Iterator[Job]:
    """Yield the job four times a second until it is done, and once more then."""
    while not job.done.wait(SHOW_SECONDS if job.newest else SHOW_SECONDS / CHECKS):
        job.heartbeat()
        yield job
    yield job


@contextmanager
def seen(*jobs: Job) -> Iterator[None]:
    """Mark the jobs as closed if the handler that shows them is cut off: then its page was."""
    try:
        yield
    except BaseException:
        for job in jobs:
            job.closed = True
        raise


async def follow(*jobs: Job) -> AsyncIterator[None]:
    """Yield now and then until all are done, without holding a thread meanwhile."""

    def over() -> bool:
        return all(job.done.is_set() for job in jobs)

    while not over():
        for job in jobs:
            job.heartbeat()
        yield
        pauses = [SHOW_SECONDS / CHECKS] * CHECKS + [SHOW_SECONDS] * (WAITING_LOOKS - 1)
        for check, pause in enumerate(pauses):
            if over() or (check >= CHECKS and any(job.newest is not None for job in jobs)):
                break
            await asyncio.sleep(pause)
