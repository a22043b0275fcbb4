"""The one line for long work: each worker takes one job after the other from it."""

from __future__ import annotations

import atexit
import math
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from lora_demo.errors import LoraDemoError
from lora_demo.limits import MAX_WAITING, MAX_WORKING_BYTES
from lora_demo.serving.cleanup import give_back_memory
from lora_demo.serving.job import AWAY, STOPPED, Job, Worker, work_here

Answer = TypeVar("Answer")
EXIT_SECONDS = 5.0  # that the step under way may still need when the process ends


class JobQueue:
    """Keep the line and the workers. A stopped job keeps its worker until its step has ended.

    Long jobs take turns: after a second of work a job goes to the end of the line. Jobs whose page
    is closed go last, and each worker prefers jobs whose pictures it has. Begun jobs hold tensors
    while they wait for their next turn, so a job begins only if it fits beside those of its worker.
    """

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._waiting: list[Job] = []
        self._homes = weakref.WeakKeyDictionary()  # the worker that has an owner's pictures
        self._begun = weakref.WeakKeyDictionary()  # the worker that has begun a job
        self._open: set[Job] = set()  # begun and not done
        self._changed = threading.Condition()

    def start_workers(self, workers: Sequence[Worker]) -> None:
        """Start a thread for each worker. Call it once, before the first job."""
        if self._workers:
            raise RuntimeError("the queue has its workers already")
        self._workers = list(workers)
        for number in range(len(workers)):
            threading.Thread(target=self._serve, args=(number,), daemon=True).start()
        atexit.register(self.close)

    def submit(self, job: Job, instead_of: Job | None = None) -> Job:
        """Put a job in line, then stop an earlier one; `LoraDemoError` if the line is full."""
        self.submit_all([job], [instead_of])
        return job

    def submit_all(self, jobs: Sequence[Job], instead_of: Sequence[Job | None] = ()) -> None:
        """Put several jobs in line, all of them or none."""
        with self._changed:
            if not self._workers:
                self.start_workers([work_here])
            if len(self._waiting) + len(jobs) > MAX_WAITING:
                self._clear_abandoned()
            if len(self._waiting) + len(jobs) > MAX_WAITING:
                raise LoraDemoError(
                    f"The room is full: {MAX_WAITING} others are waiting. Try again in a minute."
                )
            self._waiting.extend(jobs)
            self._changed.notify_all()
        self.stop(*instead_of)

    def shares(self, work: Sequence) -> list[Sequence]:
        """Divide work among all workers."""
        count = min(len(self._workers) or 1, len(work))
        return [work[first::count] for first in range(count)]

    def position(self, job: Job) -> int | None:
        """Count the jobs before this one; None if it is not waiting."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else None

    def stop(self, *jobs: Job | None) -> None:
        """Stop jobs: after the step that is under way, or at once if they wait."""
        for job in filter(None, jobs):
            job.stopped.set()
            with self._changed:
                if job in self._waiting and job not in self._begun:
                    self._remove(job, STOPPED)

    def _clear_abandoned(self) -> None:
        """Take out of the line who left it before their turn came."""
        for job in [job for job in self._waiting if job.is_abandoned and job not in self._begun]:
            self._remove(job, AWAY)

    def _remove(self, job: Job, why: str) -> None:
        self._waiting.remove(job)
        job.end_reason = why
        job.finish()

    def close(self) -> None:
        """Stop all jobs. A process that exits while a thread of torch works is aborted."""
        with self._changed:
            begun, waiting = list(self._begun), list(self._waiting)
        self.stop(*waiting, *begun)
        for job in begun:
            job.done.wait(EXIT_SECONDS)

    def run_now(
        self, owner: object, function: Callable[..., Iterator[Answer]], *arguments: object
    ) -> Answer:
        """Return the one step of a function, past the line, from the owner's worker."""
        worker = (self._workers or [work_here])[self._homes.get(owner, 0)]
        [answer] = worker(function, *arguments)
        return answer

    def run_on_all(self, function: Callable[..., Iterator], *arguments: object) -> None:
        """Run a function past the line, on every worker."""
        for worker in self._workers or [work_here]:
            for _ in worker(function, *arguments):
                pass

    def _serve(self, number: int) -> None:
        while True:
            with self._changed:
                while (job := self._for(number)) is None:
                    self._changed.wait()
                self._waiting.remove(job)
                self._homes[job.owner] = self._begun[job] = number
                self._open.add(job)
            worker = self._workers[number]
            job.run(worker, lambda: self._for(number) is not None)
            with self._changed:
                if job.done.is_set():
                    self._open.remove(job)
                else:
                    self._waiting.append(job)
                self._changed.notify_all()
            del job  # it may be the last that holds a visitor's work
            if self._for(number) is None:  # nobody waits
                give_back_memory()

    def _for(self, number: int) -> Job | None:
        """Choose the next job of this worker."""

        def rank(job: Job) -> tuple[bool, ...]:
            home = self._begun.get(job, self._homes.get(job.owner, number))
            # a job that is to end goes first, as it takes no time; a page follows its job at once
            left = job.is_abandoned or not job.followed
            return not job.reason_to_end, left, home != number

        with self._changed:
            held = sum(job.needed_bytes for job in self._open if self._begun[job] == number)
            space = MAX_WORKING_BYTES - held if held else math.inf  # alone, any job fits
            free = (
                job
                for job in self._waiting
                if self._begun.get(job, number) == number
                and (job in self._begun or job.needed_bytes <= space)
            )
            return min(free, key=rank, default=None)


QUEUE = JobQueue()  # of this process
