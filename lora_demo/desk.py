"""Long work has one owner: it waits in line here, and each worker does one job after the other."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from lora_demo.errors import LoraDemoError
from lora_demo.limits import MAX_AWAY_SECONDS, MAX_JOB_SECONDS, MAX_WAITING

try:
    from spaces import GPU  # on Hugging Face's shared graphics cards: whoever needs one must say so
except ImportError:

    def GPU(function: Callable) -> Callable:  # noqa: N802
        return function


Worker = Callable[..., Iterator]  # worker(function, *arguments): the steps of that function
SHOW_SECONDS = 0.25  # between two looks at a job; browsers fall behind at more
CHECKS = 5  # for the end of a job, between two looks
TURN_SECONDS = 1.0  # of work, where others wait
STOPPED, OUT_OF_TIME, AWAY = "stopped", "out of time", "nobody was there"

LOG = logging.getLogger("lora_demo")


@GPU
def work_here(function: Callable[..., Iterator], *arguments: object) -> Iterator:
    """The worker of an app on one machine: this process."""
    yield from function(*arguments)


class Job:
    """Long work for one owner (by default its own): a worker pulls the steps of `work(worker)`."""

    def __init__(self, work: Callable[[Worker], Iterator], owner: object = None):
        self.work = work
        self.owner = owner or self
        self.newest: object = None  # the last step; None before the first
        self.error: Exception | None = None
        self.end: str = ""  # why it ended before its last step: one of the three below
        self.stopped = threading.Event()
        self.done = threading.Event()
        self.seconds = 0.0  # of work
        self.looked_at = time.monotonic()
        self._steps: Iterator | None = None

    def run(self, worker: Worker, others_wait: Callable[[], bool]) -> None:
        """Until it is done; or for a second, where others wait for the worker."""
        self._steps = self._steps or self.work(worker)
        began = time.monotonic()
        earlier = self.seconds
        try:
            for step in self._steps:
                self.newest = step
                self.seconds = earlier + time.monotonic() - began
                self.end = self._why_end()
                if self.end:
                    break
                if self.seconds - earlier > TURN_SECONDS and others_wait():
                    return
        except LoraDemoError as error:
            self.error = error
        except Exception as error:  # whatever it was, the worker goes on with the next job
            LOG.exception("a job failed")
            self.error = error
        self.finish()

    def finish(self) -> None:
        try:
            if self._steps:
                self._steps.close()
        except Exception:  # whoever waits for the end is not to wait for ever
            LOG.exception("a job did not end well")
        finally:
            self.work = self._steps = None  # they hold what it worked on
            self.done.set()

    def _why_end(self) -> str:
        if self.stopped.is_set():
            return STOPPED
        if self.seconds > MAX_JOB_SECONDS:
            return OUT_OF_TIME
        return AWAY if time.monotonic() - self.looked_at > MAX_AWAY_SECONDS else ""


class Desk:
    """The line, and the workers. A stopped job keeps its worker until its step has ended.

    Long jobs take turns: after a second of work a job goes to the end of the line.
    """

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._waiting: list[Job] = []
        self._homes = weakref.WeakKeyDictionary()  # the worker that has an owner's pictures
        self._begun = weakref.WeakKeyDictionary()  # the worker that has begun a job
        self._changed = threading.Condition()

    def employ(self, workers: Sequence[Worker]) -> None:
        """Each has a thread that waits for jobs; once, before the first job."""
        self._workers = list(workers)
        for number in range(len(workers)):
            threading.Thread(target=self._serve, args=(number,), daemon=True).start()

    def submit(self, job: Job) -> Job:
        """Raises `LoraDemoError` where the line is full."""
        with self._changed:
            if not self._workers:
                self.employ([work_here])
            if len(self._waiting) >= MAX_WAITING:
                raise LoraDemoError(
                    f"The room is full: {MAX_WAITING} others are waiting. Try again in a minute."
                )
            self._waiting.append(job)
            self._changed.notify_all()
        return job

    def before(self, job: Job) -> int | None:
        """How many wait before it; None when it is not waiting."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else None

    def stop(self, job: Job | None) -> None:
        """It ends by itself after the step that is under way; one that waits, at once."""
        if job is None:
            return
        job.stopped.set()
        with self._changed:
            if job in self._waiting and job not in self._begun:
                self._waiting.remove(job)
                job.end = STOPPED
                job.finish()

    def _serve(self, number: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._for(number))
                job = self._for(number)
                self._waiting.remove(job)
                self._homes[job.owner] = self._begun[job] = number
            job.run(self._workers[number], lambda: self._for(number) is not None)
            if not job.done.is_set():
                with self._changed:
                    self._waiting.append(job)
                    self._changed.notify_all()

    def _for(self, number: int) -> Job | None:
        """Who is next at this worker; whoever is at home at another one, only if nobody else is."""
        free = [job for job in self._waiting if self._begun.get(job, number) == number]
        own = (job for job in free if self._homes.get(job.owner, number) == number)
        return next(own, free[0] if free else None)


def watch(job: Job) -> Iterator[Job]:
    """The job, four times a second until it is done, and once more then."""
    while not job.done.wait(SHOW_SECONDS if job.newest else SHOW_SECONDS / CHECKS):
        job.looked_at = time.monotonic()
        yield job
    yield job


async def follow(job: Job) -> AsyncIterator[Job]:
    """The same for handlers that are not to hold a thread meanwhile."""
    while not job.done.is_set():
        job.looked_at = time.monotonic()
        yield job
        for _ in range(CHECKS):
            if not job.done.is_set():
                await asyncio.sleep(SHOW_SECONDS / CHECKS)
    yield job


DESK = Desk()  # of this process
