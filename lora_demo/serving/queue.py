"""Long work has one owner: it waits in line here, and each worker does one job after the other."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence

from lora_demo.errors import LoraDemoError
from lora_demo.limits import MAX_WAITING
from lora_demo.serving.cleanup import give_back_memory
from lora_demo.serving.job import STOPPED, Job, Worker

try:
    from spaces import GPU  # on Hugging Face's shared graphics cards: whoever needs one must say so
except ImportError:

    def GPU(function: Callable) -> Callable:  # noqa: N802
        return function


@GPU
def work_here(function: Callable[..., Iterator], *arguments: object) -> Iterator:
    """The worker of an app on one machine: this process."""
    yield from function(*arguments)


class JobQueue:
    """The line, and the workers. A stopped job keeps its worker until its step has ended.

    Long jobs take turns: after a second of work a job goes to the end of the line. Those whose page
    is closed go last, and a worker takes those whose pictures it has before others.
    """

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._waiting: list[Job] = []
        self._homes = weakref.WeakKeyDictionary()  # the worker that has an owner's pictures
        self._begun = weakref.WeakKeyDictionary()  # the worker that has begun a job
        self._changed = threading.Condition()

    def start_workers(self, workers: Sequence[Worker]) -> None:
        """Each has a thread that waits for jobs; once, before the first job."""
        if self._workers:
            raise RuntimeError("the queue has its workers already")
        self._workers = list(workers)
        for number in range(len(workers)):
            threading.Thread(target=self._serve, args=(number,), daemon=True).start()

    def submit(self, job: Job, instead_of: Job | None = None) -> Job:
        """Ends an earlier job once this one is in line; `LoraDemoError` where the line is full."""
        self.submit_all([job], [instead_of])
        return job

    def submit_all(self, jobs: Sequence[Job], instead_of: Sequence[Job | None] = ()) -> None:
        """The same with several, which are in line together or not at all."""
        with self._changed:
            if not self._workers:
                self.start_workers([work_here])
            if len(self._waiting) + len(jobs) > MAX_WAITING:
                raise LoraDemoError(
                    f"The room is full: {MAX_WAITING} others are waiting. Try again in a minute."
                )
            self._waiting.extend(jobs)
            self._changed.notify_all()
        self.stop(*instead_of)

    def shares(self, work: Sequence) -> list[Sequence]:
        """What each worker would do of it, if all of them shared it."""
        count = min(len(self._workers) or 1, len(work))
        return [work[first::count] for first in range(count)]

    def position(self, job: Job) -> int | None:
        """How many wait before it; None when it is not waiting."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else None

    def stop(self, *jobs: Job | None) -> None:
        """Each ends by itself after the step that is under way; one that waits, at once."""
        for job in filter(None, jobs):
            job.stopped.set()
            with self._changed:
                if job in self._waiting and job not in self._begun:
                    self._waiting.remove(job)
                    job.end_reason = STOPPED
                    job.finish()

    def run_now(
        self, owner: object, function: Callable[..., Iterator], *arguments: object
    ) -> object:
        """The one step of that function; past the line, by the worker that knows the owner."""
        worker = (self._workers or [work_here])[self._homes.get(owner, 0)]
        [answer] = worker(function, *arguments)
        return answer

    def run_on_all(self, function: Callable[..., Iterator], *arguments: object) -> None:
        """Past the line, by every worker."""
        for worker in self._workers or [work_here]:
            for _ in worker(function, *arguments):
                pass

    def _serve(self, number: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._for(number))
                job = self._for(number)
                self._waiting.remove(job)
                self._homes[job.owner] = self._begun[job] = number
            worker = self._workers[number]
            job.run(worker, lambda: self._for(number) is not None)
            if not job.done.is_set():
                with self._changed:
                    self._waiting.append(job)
                    self._changed.notify_all()
            del job  # it may be the last that holds a visitor's work
            if self._for(number) is None:  # nobody waits
                give_back_memory()

    def _for(self, number: int) -> Job | None:
        """Who is next at this worker."""

        def rank(job: Job) -> tuple[bool, ...]:
            home = self._begun.get(job, self._homes.get(job.owner, number))
            return (
                not job.stopped.is_set(),
                job.is_abandoned,
                home != number,
            )  # stopped: takes no time

        free = (job for job in self._waiting if self._begun.get(job, number) == number)
        return min(free, key=rank, default=None)


QUEUE = JobQueue()  # of this process
