"""Workers in other processes, real ones: what they give back, and what becomes of a lost one."""

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from gradio_client import Client, handle_file

from lora_demo import AdapterSpec, LabelledImage, LoraDemoError, TrainingSettings, compare
from lora_demo import read_features as read_here
from lora_demo.backbones.features import forget_features, read_features
from lora_demo.lab import Result, variants
from lora_demo.limits import KEEP_SECONDS
from lora_demo.lora.fitting import FitProgress
from lora_demo.serving.cluster import RayWorker, start_ray_workers
from lora_demo.serving.job import STOPPED, Job, Worker, wait_for, work_here
from lora_demo.serving.queue import JobQueue
from lora_demo.serving.recording import Task, start_lab
from lora_demo.serving.session import Session
from lora_demo.serving.tasks import (
    LabProgress,
    compare_picture,
    measure_forgetting,
    run_lab,
    train_and_evaluate,
)
from lora_demo.serving.transport import PREFIX
from tests.benchmarks.speed_app import ROOT, started
from tests.conftest import ray_actors_below

pytestmark = pytest.mark.ray

SPEC = AdapterSpec("efficientnet_lite0", "head", 4, 3, ("goldfish",))
SOMEBODY = threading.Event()  # anything that can be told apart
LONG = (replace(SPEC, placement="pixels"), TrainingSettings(1000), [])


@pytest.fixture(scope="module")
def worker() -> Iterator[RayWorker]:
    ray = pytest.importorskip("ray")
    [worker] = start_ray_workers("1", threads=1)
    yield worker
    ray.shutdown()


def lose(worker: RayWorker) -> None:
    """Ends its process."""
    import ray

    ray.kill(worker.actor, no_restart=False)


@pytest.fixture
def lesson(goldfish):
    return goldfish, SPEC, TrainingSettings(100), [goldfish[0].path]


def arrived() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def practising(job: Job) -> None:
    while not isinstance(job.newest, FitProgress) or not job.newest.points:
        assert not job.done.is_set()
        time.sleep(0.01)


def in_memory(paths: list[Path]) -> Iterator[int]:
    """How many of them a worker need not read any more."""
    from lora_demo.backbones.models import load_model

    model, runs = load_model(SPEC.model_name), []
    handle = model.trunk.register_forward_pre_hook(lambda *_: runs.append(1))
    for path in paths:
        read_features(model, path)
    handle.remove()
    yield len(paths) - len(runs)


def test_it_gives_the_same_result_and_keeps_no_files(worker, lesson):
    before = arrived()
    *_, here = train_and_evaluate(*lesson)
    steps = list(worker(train_and_evaluate, *lesson))

    there = steps[-1]
    assert sum(isinstance(step, Result) for step in steps) == 1
    assert any(isinstance(step, FitProgress) and step.done for step in steps)
    assert there.final_loss == pytest.approx(here.final_loss, rel=1e-4)
    assert (there.adapted, there.pictures_broken) == (here.adapted, here.pictures_broken)
    for ours, theirs in zip(here.adapter.parameters(), there.adapter.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert arrived() <= before  # other processes may clean up meanwhile


def test_what_is_asked_about_a_picture_is_answered_there(worker, model, lesson):
    *_, result = train_and_evaluate(*lesson)
    [path] = lesson[-1]
    queue = JobQueue()
    queue.start_workers([worker])

    asked = queue.run_now(SOMEBODY, compare_picture, path, model.name, result.adapter, 0.7)
    damage = queue.run_now(
        SOMEBODY, measure_forgetting, result.adapter, 2.0, {"own": [Path("gone.png"), path]}
    )

    expected = compare(model, read_here(model, path), result.adapter, 0.7)
    names = [prediction.class_name for prediction in expected.after]
    assert [prediction.class_name for prediction in asked.after] == names
    assert [prediction.probability for prediction in asked.after] == pytest.approx(
        [prediction.probability for prediction in expected.after], abs=1e-4
    )
    assert [change.index for change in damage.groups["own"].changes] == [1]


def test_the_lab_gives_each_result_once(worker, goldfish):
    specs = variants(SPEC, ["guarded", "head"])
    steps = worker(run_lab, goldfish, specs, [])
    made = [step for step in steps if isinstance(step, LabProgress)]
    found = [step.step.adapter.spec.rank for step in made if isinstance(step.step, Result)]

    assert found == [spec.rank for spec in specs]
    assert made[-1].finished == len(specs)


def test_a_lab_that_two_workers_share_finds_what_one_finds(worker, goldfish):
    def found(workers: list[Worker]) -> dict:
        queue, session, busy = JobQueue(), Session(), set()

        def seen(one: Worker, *asked) -> Iterator:
            busy.add(one)
            return one(*asked)

        queue.start_workers([partial(seen, one) for one in workers])
        lab = start_lab(session, queue, Task(goldfish, []), variants(SPEC, ["guarded", "head"]))
        assert all(job.done.wait(120) and not job.error for job in lab.jobs)
        assert busy == set(workers)
        assert lab.finished == lab.trainings == len(session.results) == 12
        rows = [(result.adapter.spec, result) for result in session.results]
        return {(s.placement, s.rank): (r.adapted, r.final_loss) for s, r in rows}

    alone, shared = found([worker]), found([worker, work_here])

    assert {key: score for key, (score, _) in shared.items()} == {
        key: score for key, (score, _) in alone.items()
    }
    losses = [[one[key][1] for key in alone] for one in (alone, shared)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_an_error_comes_back_word_for_word(worker, tmp_path):
    (tmp_path / "cat.jpg").write_text("no picture")
    bad = [LabelledImage(tmp_path / "cat.jpg", "goldfish")]

    told = "None of the pictures to learn from could be used. “cat.jpg” is"
    with pytest.raises(LoraDemoError, match=re.escape(told)):
        list(worker(train_and_evaluate, bad, SPEC, None, []))


def test_stop_frees_the_worker(worker, goldfish, lesson):
    queue = JobQueue()
    queue.start_workers([worker])
    long = queue.submit(Job(lambda w: w(train_and_evaluate, goldfish, *LONG)))
    practising(long)

    queue.stop(long)
    after = queue.submit(Job(lambda w: w(train_and_evaluate, *lesson)))

    assert after.done.wait(60)
    assert (long.end_reason, after.error) == (STOPPED, None)
    assert len(long.newest.points) < 1000


def test_a_long_job_lets_others_go_first_and_then_goes_on(worker, goldfish, lesson):
    queue = JobQueue()
    queue.start_workers([worker])
    some_turns = (LONG[0], TrainingSettings(100), [])
    long = queue.submit(Job(lambda w: w(train_and_evaluate, goldfish, *some_turns)))
    practising(long)

    short = queue.submit(Job(lambda w: w(train_and_evaluate, *lesson)))

    for _ in wait_for(short):
        pass
    assert not long.done.is_set()
    for _ in wait_for(long):
        pass
    assert (short.error, long.error) == (None, None)
    assert isinstance(long.newest, Result)


def test_what_a_visitor_wants_forgotten_is_forgotten_there(worker, goldfish, tmp_path):
    mine = Path(shutil.copy(goldfish[0].path, tmp_path / "mine.png"))
    with mine.open("ab") as file:
        file.write(b"nobody else's")
    queue = JobQueue()
    queue.start_workers([worker])
    queue.run_now(SOMEBODY, in_memory, [mine])
    assert queue.run_now(SOMEBODY, in_memory, [mine]) == 1

    queue.run_on_all(forget_features, [mine])

    assert queue.run_now(SOMEBODY, in_memory, [mine]) == 0


def test_a_lost_worker_is_replaced_and_its_run_repeated_with_the_same_result(worker, lesson):
    *_, undisturbed = worker(train_and_evaluate, *lesson)
    steps = worker(train_and_evaluate, *lesson)
    next(steps)

    lose(worker)

    *_, repeated = steps
    assert repeated.final_loss == undisturbed.final_loss
    assert torch.equal(repeated.adapter.lora.B, undisturbed.adapter.lora.B)


def test_a_run_that_is_lost_twice_ends_in_words(worker, goldfish):
    lost = []

    def lose_twice():
        for step in worker(train_and_evaluate, goldfish, *LONG):
            if isinstance(step, FitProgress) and len(lost) < 2:
                lose(worker)
                lost.append(step)

    with pytest.raises(LoraDemoError, match="was lost, twice"):
        lose_twice()


def test_the_files_of_a_lost_run_go_after_an_hour(worker):
    old, new = (Path(tempfile.mkdtemp(prefix=PREFIX)) for _ in range(2))
    (old / "picture.png").write_bytes(b"of somebody")
    os.utime(old, (time.time() - KEEP_SECONDS - 60,) * 2)

    assert list(worker(range, 3)) == [2]

    assert (old.exists(), new.exists()) == (False, True)
    new.rmdir()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the worker in /proc")
def test_a_training_survives_the_loss_of_the_apps_worker(goldfish, tmp_path):
    pictures = [handle_file(picture.path) for picture in goldfish]
    with started(ROOT / "app.py", "--workers", "1", GRADIO_TEMP_DIR=str(tmp_path)) as app:
        process, url, _ = app
        client = Client(url, verbose=False)
        training = client.submit(pictures, "goldfish", epochs=100, api_name="/train")
        while not any(summary["losses"] for summary, _ in training.outputs()):
            assert not training.done()
            time.sleep(0.05)
        [actor] = ray_actors_below(process.pid)

        os.kill(actor, 9)

        summary, adapter = training.result(120)
        answers = client.predict(pictures[0], handle_file(adapter), api_name="/compare")

    assert len(summary["losses"]) == 100
    assert answers["adapted"][0]["class_name"] == "goldfish"


@pytest.mark.parametrize("where", ["0", "-1", "some", "http://host:1"])
def test_what_is_no_place_for_workers_is_refused(where):
    pytest.importorskip("ray")
    with pytest.raises(LoraDemoError, match="give a number of workers, or ray://host:port"):
        start_ray_workers(where)
