"""Real Ray actors on this machine: what they give back, and what becomes of a lost one."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lora_demo import AdapterSpec, LabelledImage, LoraDemoError, TrainingSettings
from lora_demo.desk import Desk
from lora_demo.jobs import teach
from lora_demo.lab import Result
from lora_demo.long_work import STOPPED, Job
from lora_demo.ray_workers import RayWorker, ray_workers
from lora_demo.training import FitProgress

ray = pytest.importorskip("ray")
SPEC = AdapterSpec("efficientnet_lite0", "head", 4, 3, ("goldfish",))
LONG = (replace(SPEC, placement="pixels"), TrainingSettings(1000), [])


@pytest.fixture(scope="module")
def worker() -> RayWorker:
    [worker] = ray_workers("1", threads=1)
    yield worker
    ray.shutdown()


@pytest.fixture
def lesson(goldfish):
    return goldfish, SPEC, TrainingSettings(100), [goldfish[0].path]


def arrived() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("lora-demo-*"))


def test_an_actor_gives_the_same_result_and_keeps_no_files(worker, lesson):
    before = arrived()
    *_, here = teach(*lesson)
    steps = list(worker(teach, *lesson))

    there = steps[-1]
    assert sum(isinstance(step, Result) for step in steps) == 1
    assert any(isinstance(step, FitProgress) and step.done for step in steps)
    assert there.final_loss == pytest.approx(here.final_loss, rel=1e-4)
    assert (there.adapted, there.pictures_broken) == (here.adapted, here.pictures_broken)
    for ours, theirs in zip(here.adapter.parameters(), there.adapter.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert arrived() <= before  # other processes may clean up meanwhile


def test_an_error_comes_back_word_for_word(worker, tmp_path):
    (tmp_path / "cat.jpg").write_text("no picture")
    bad = [LabelledImage(tmp_path / "cat.jpg", "goldfish")]

    with pytest.raises(LoraDemoError, match=r"None of the pictures could be used. “cat.jpg” is"):
        list(worker(teach, bad, SPEC, None, []))


def test_stop_frees_the_actor(worker, goldfish, lesson):
    desk = Desk()
    desk.employ([worker])
    long = desk.submit(Job(lambda w: w(teach, goldfish, *LONG)))
    while not isinstance(long.newest, FitProgress) or not long.newest.points:
        time.sleep(0.01)

    desk.stop(long)
    after = desk.submit(Job(lambda w: w(teach, *lesson)))

    assert after.done.wait(60)
    assert (long.end, after.error) == (STOPPED, None)
    assert len(long.newest.points) < 1000


def test_a_lost_actor_is_replaced_and_its_run_repeated_with_the_same_result(worker, lesson):
    *_, undisturbed = worker(teach, *lesson)
    steps = worker(teach, *lesson)
    next(steps)

    ray.kill(worker.actor, no_restart=False)

    *_, repeated = steps
    assert repeated.final_loss == undisturbed.final_loss
    assert torch.equal(repeated.adapter.lora.B, undisturbed.adapter.lora.B)


def test_a_run_whose_actor_is_lost_twice_ends_in_words(worker, goldfish):
    lost = 0

    def lose(steps):
        nonlocal lost
        for step in steps:
            if step.points and lost < 2:
                ray.kill(worker.actor, no_restart=False)
                lost += 1

    with pytest.raises(LoraDemoError, match="was lost, twice"):
        lose(worker(teach, goldfish, *LONG))


@pytest.mark.parametrize("where", ["0", "-1", "some", "http://host:1"])
def test_what_is_no_place_for_workers_is_refused(where):
    with pytest.raises(LoraDemoError, match="give a number of workers, or ray://host:port"):
        ray_workers(where)
