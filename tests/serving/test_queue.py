"""The line for long work: fair, bounded, and one job at a time for each worker."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

import pytest

from lora_demo.errors import LoraDemoError
from lora_demo.serving import job as job_room
from lora_demo.serving import queue as queue_room
from lora_demo.serving.job import AWAY, OUT_OF_TIME, STOPPED, Job, follow, seen, wait_for, work_here
from lora_demo.serving.queue import JobQueue


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue()


def gone(thing: weakref.ref) -> bool:
    for _ in range(100):
        if thing() is None:
            return True
        time.sleep(0.02)
    return False


def also_here(function, *arguments):
    """Another worker in this process."""
    yield from function(*arguments)


def endless(worker):
    """The work of a job that somebody has to end."""
    for number in count():
        time.sleep(0.01)
        yield number


class Gate:
    """A job that is in its only step until the gate is opened."""

    def __init__(self, queue: JobQueue, owner: object = None):
        self.opened, self.begun = threading.Event(), threading.Event()
        self.job = queue.submit(Job(self._work, owner))

    def _work(self, worker):
        self.worker = worker
        self.begun.set()
        self.opened.wait(10)
        yield "step"

    def open(self):
        self.opened.set()
        assert self.job.done.wait(10)


def test_jobs_are_done_one_after_the_other_in_the_order_of_the_line(queue):
    began = []

    def work(number, worker):
        began.append(number)
        yield from worker(range, 3)
        began.append(number)

    jobs = [queue.submit(Job(lambda worker, n=n: work(n, worker))) for n in range(4)]

    assert all(job.done.wait(10) for job in jobs)
    assert began == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [job.newest for job in jobs] == [2] * 4


def test_nothing_holds_what_a_job_worked_on(queue):
    class Thing:
        pass

    things = []

    def fail(worker):
        thing = Thing()
        things.append(weakref.ref(thing))
        try:
            yield "step"
            raise ValueError("inside")
        except ValueError as error:
            raise LoraDemoError("failed") from error

    job = queue.submit(Job(fail))
    assert job.done.wait(10)
    job_itself = weakref.ref(job)

    assert str(job.error) == "failed"
    assert gone(things[0])
    del job
    assert gone(job_itself)  # the worker, idle now, has let go of it, too


def test_everybody_who_waits_has_a_place(queue):
    first = Gate(queue)
    first.begun.wait(10)
    others = [Gate(queue) for _ in range(3)]

    assert [queue.position(gate.job) for gate in (first, *others)] == [None, 0, 1, 2]
    queue.stop(others[0].job)
    assert [queue.position(gate.job) for gate in others] == [None, 0, 1]
    assert others[0].job.done.is_set()
    for gate in (first, *others[1:]):
        gate.open()
    assert not others[0].begun.is_set()


def test_a_stopped_job_holds_its_worker_until_its_step_has_ended(queue):
    first = Gate(queue)
    first.begun.wait(10)
    second = Gate(queue)

    queue.stop(first.job)

    assert not second.begun.wait(0.3)
    assert not first.job.done.is_set()
    first.open()
    assert second.begun.wait(10)
    second.open()


def test_a_full_room_is_said_so(queue, monkeypatch):
    monkeypatch.setattr(queue_room, "MAX_WAITING", 2)
    first = Gate(queue)
    first.begun.wait(10)
    waiting = [Gate(queue) for _ in range(2)]

    with pytest.raises(LoraDemoError, match="The room is full: 2 others"):
        Gate(queue)

    for gate in (first, *waiting):
        gate.open()
    Gate(queue).open()


def test_who_left_a_full_room_gives_place_to_who_comes(queue, monkeypatch):
    monkeypatch.setattr(queue_room, "MAX_WAITING", 2)
    first = Gate(queue)
    first.begun.wait(10)
    left, here = Gate(queue), Gate(queue)
    left.job.closed = True

    new = Gate(queue)

    assert left.job.done.is_set()
    assert left.job.end_reason == AWAY
    for gate in (first, here, new):
        gate.open()


def test_a_job_begins_only_if_its_tensors_fit_beside_those_of_begun_ones(queue, monkeypatch):
    monkeypatch.setattr(job_room, "TURN_SECONDS", 0.05)
    monkeypatch.setattr(queue_room, "MAX_WORKING_BYTES", 100)

    large, also_large, small, huge = (Job(endless, needed_bytes=n) for n in (60, 60, 10, 1000))
    for job in (large, also_large, small, huge):
        queue.submit(job)
    while small.newest is None:
        time.sleep(0.01)
    time.sleep(0.3)  # several turns

    assert large.newest
    assert (also_large.newest, huge.newest) == (None, None)
    queue.stop(large)
    assert large.done.wait(10)
    while also_large.newest is None:  # its tensors fit now
        time.sleep(0.01)
    assert huge.newest is None
    for job in (also_large, small):
        queue.stop(job)
    while huge.newest is None:  # alone, it may be larger than the bound
        time.sleep(0.01)
    queue.stop(huge)
    assert huge.done.wait(10)


def test_a_dropped_job_keeps_nothing_of_what_it_made(queue):
    job, late = Job(lambda worker: worker(range, 3)), Gate(queue)
    late.begun.wait(10)
    queue.submit(job)
    late.job.drop()
    late.open()
    assert job.done.wait(10)
    assert (late.job.newest, job.newest) == (None, 2)

    job.drop()

    assert job.newest is None


def test_a_job_that_takes_too_long_ends(queue, monkeypatch):
    monkeypatch.setattr(job_room, "MAX_JOB_SECONDS", 0.2)

    job = queue.submit(Job(lambda worker: (time.sleep(0.01) or n for n in count())))

    assert job.done.wait(10)
    assert job.end_reason == OUT_OF_TIME


def test_long_jobs_take_turns(queue, monkeypatch):
    monkeypatch.setattr(job_room, "TURN_SECONDS", 0.1)
    steps = []

    def work(name, count, worker):
        for step in worker(range, count):
            time.sleep(0.02)
            steps.append(name)
            yield step

    long, also = (queue.submit(Job(partial(work, name, 30))) for name in ("long", "also long"))
    short = queue.submit(Job(partial(work, "short", 2)))

    assert short.done.wait(10)
    assert not long.done.is_set()
    assert long.done.wait(10)
    assert also.done.wait(10)
    assert [long.newest, also.newest, short.newest] == [29, 29, 1]
    assert steps.index("also long") < steps.index("short") < 20


def test_a_stopped_job_does_not_wait_for_its_turn(queue, monkeypatch):
    monkeypatch.setattr(job_room, "TURN_SECONDS", 0.1)
    long = queue.submit(Job(endless))
    first, second = Gate(queue), Gate(queue)
    assert first.begun.wait(10)  # `long` has given its turn, and stands behind the second
    assert queue.position(long) == 1

    queue.stop(long)
    first.open()

    assert second.begun.wait(10)
    assert long.done.is_set()
    assert long.end_reason == STOPPED
    second.open()


def test_the_time_limit_counts_all_turns(queue, monkeypatch):
    monkeypatch.setattr(job_room, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(job_room, "MAX_JOB_SECONDS", 0.5)

    jobs = [queue.submit(Job(endless)) for _ in range(2)]

    assert all(job.done.wait(10) for job in jobs)
    assert [job.end_reason for job in jobs] == [OUT_OF_TIME] * 2
    assert all(job.newest <= 60 for job in jobs)  # steps of a hundredth of a second


def test_lessons_wait_for_a_turn_of_a_lab_at_all_workers_not_for_its_end(queue, monkeypatch):
    monkeypatch.setattr(job_room, "TURN_SECONDS", 0.1)

    def work(count, worker):
        for step in worker(range, count):
            time.sleep(0.02)
            yield step

    queue.start_workers([work_here, also_here])
    lab = [Job(partial(work, len(share))) for share in queue.shares(range(80))]
    queue.submit_all(lab)
    while any(job.newest is None for job in lab):
        time.sleep(0.01)

    lessons = [queue.submit(Job(partial(work, 2))) for _ in range(4)]

    assert all(job.done.wait(10) for job in lessons)
    assert not any(job.done.is_set() for job in lab)
    assert all(job.done.wait(10) for job in lab)
    assert [job.newest for job in lab] == [39, 39]


def test_a_job_whose_page_is_closed_gives_its_turn_to_others(queue, monkeypatch):
    monkeypatch.setattr(job_room, "TURN_SECONDS", 60)

    async def show():
        with seen(long):
            async for _ in follow(long):
                yield

    async def open_and_close():
        shown = show()
        await anext(shown)
        assert not short.done.wait(0.3)
        await shown.aclose()

    long = queue.submit(Job(endless))
    short = queue.submit(Job(lambda worker: worker(range, 3)))
    with ThreadPoolExecutor() as own_thread:  # in this one the browser's tests leave a loop
        own_thread.submit(asyncio.run, open_and_close()).result(10)

    assert short.done.wait(4)  # less than it takes until a job counts as left
    assert not long.done.is_set()
    queue.stop(long)
    assert long.done.wait(10)


def test_a_job_that_a_page_follows_goes_before_one_that_nobody_did(queue):
    gate, order = Gate(queue), []
    jobs = [Job(lambda worker, n=n: worker(iter, [order.append(n)])) for n in ("ghost", "page")]
    for job in jobs:
        queue.submit(job)
    jobs[1].heartbeat()

    gate.opened.set()

    assert all(job.done.wait(10) for job in jobs)
    assert order == ["page", "ghost"]


def test_a_job_that_nobody_looks_at_ends(queue, monkeypatch):
    monkeypatch.setattr(job_room, "MAX_AWAY_SECONDS", 0.5)

    watched_one, alone = queue.submit(Job(endless)), queue.submit(Job(endless))
    for _ in wait_for(watched_one):
        if alone.done.is_set():
            queue.stop(watched_one)

    assert (watched_one.end_reason, alone.end_reason) == (STOPPED, AWAY)


@pytest.mark.parametrize("error", [LoraDemoError("a bad file"), ZeroDivisionError()], ids=repr)
def test_an_error_ends_its_job_and_no_other(queue, error):
    def fail(worker):
        yield 1
        raise error

    job, after = queue.submit(Job(fail)), queue.submit(Job(lambda worker: worker(range, 7, 8)))

    assert after.done.wait(10)
    assert job.error is error
    assert (after.error, after.newest) == (None, 7)


def test_an_owner_goes_back_to_the_worker_that_has_the_pictures(queue):
    queue.start_workers([work_here, also_here])
    session, somebody = threading.Event(), threading.Event()  # anything that can be told apart
    first = Gate(queue, session)
    first.begun.wait(10)
    second = Gate(queue, somebody)
    second.begun.wait(10)
    assert first.worker is not second.worker
    waiting = [Gate(queue, session), Gate(queue, somebody)]

    second.open()  # whose worker takes its own visitor's job, though the other came first

    assert waiting[1].begun.wait(10)
    assert waiting[1].worker is second.worker
    first.open()
    assert waiting[0].begun.wait(10)
    assert waiting[0].worker is first.worker
    for gate in waiting:
        gate.open()


def test_watching_ends_with_the_job(queue):
    job = queue.submit(Job(lambda worker: worker(range, 3)))

    *_, last = wait_for(job)

    assert last.done.is_set()
    assert last.newest == 2


@pytest.mark.parametrize(
    ("package", "marked"),
    [
        ("def GPU(function):\n    function.on_a_card = True\n    return function\n", "True"),
        ("raise ImportError\n", "False"),
    ],
    ids=["on a Space", "elsewhere"],
)
def test_long_work_asks_for_a_card_where_cards_are_shared(tmp_path, package, marked):
    (tmp_path / "spaces.py").write_text(package)
    script = "from lora_demo.serving.job import work_here; print(hasattr(work_here, 'on_a_card'))"

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == marked


def test_work_that_cannot_even_begin_ends_as_an_error_and_the_worker_goes_on(queue):
    broken = Job(lambda: iter(()))  # takes no worker
    queue.submit(broken)
    assert broken.done.wait(10)
    assert isinstance(broken.error, TypeError)

    after = queue.submit(Job(lambda worker: iter([1])))
    assert after.done.wait(10)
    assert after.newest == 1


EXITS_WHILE_IT_TRAINS = """
from dataclasses import replace
from lora_demo import AdapterSpec, load_model, read_class_folder
from lora_demo.serving.job import wait_for
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.recording import Task, start_lesson
from lora_demo.serving.session import Session

model = load_model("efficientnet_lite0")
pictures = read_class_folder("data/goldfish", model.categories)
spec = AdapterSpec(model.name, "pixels", class_names=("goldfish",))
settings = replace(spec.recipe.settings, epochs=1000)
lesson = start_lesson(Session(), QUEUE, Task(pictures, []), spec, settings)
next(job for job in wait_for(lesson.job) if lesson.fitting)
"""


def test_a_process_may_end_while_a_training_runs():
    ended = subprocess.run(
        [sys.executable, "-c", EXITS_WHILE_IT_TRAINS], capture_output=True, timeout=120
    )

    assert ended.stderr == b""
    assert ended.returncode == 0
