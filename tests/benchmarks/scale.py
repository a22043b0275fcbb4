"""More workers, more trainings: Ray actors with one thread each, on this machine.

`python -m tests.benchmarks.scale [--lessons 24]`; EfficientNet-Lite0, five pictures each.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import ray

from lora_demo.images.reading import LabelledImage
from lora_demo.lab import to_csv, variants
from lora_demo.lora.recipes import RECIPES, Placement
from lora_demo.lora.spec import AdapterSpec
from lora_demo.serving.cluster import start_ray_workers
from lora_demo.serving.job import Job, Worker, wait_for
from lora_demo.serving.queue import JobQueue
from lora_demo.serving.recording import Task, start_lab
from lora_demo.serving.session import Session
from lora_demo.serving.tasks import train_and_evaluate
from tests.benchmarks.load import draw, word
from tests.benchmarks.rows import Row, at_least, at_most, show

PLACEMENTS = [Placement.GUARDED, Placement.HEAD]


def lesson(folder: Path, worker: Worker):
    spec = AdapterSpec("efficientnet_lite0", Placement.GUARDED, class_names=(word(folder),))
    pictures = [LabelledImage(path, word(folder)) for path in sorted(folder.iterdir())[:5]]
    return worker(train_and_evaluate, pictures, spec, RECIPES[spec.placement].settings, ())


def seconds(queue: JobQueue, folders: list[Path]) -> float:
    before = time.perf_counter()
    finish([queue.submit(Job(partial(lesson, folder))) for folder in folders])
    return time.perf_counter() - before


def finish(jobs: list[Job]) -> None:
    for job in jobs:
        for _ in wait_for(job):
            pass
        if job.error or job.end_reason:
            raise job.error or RuntimeError(job.end_reason)


def lab(queue: JobQueue, folder: Path) -> set[str]:
    """Rows of the lab's table, less the times, as the page has them made."""
    session, spec = Session(), AdapterSpec("efficientnet_lite0", class_names=(word(folder),))
    pictures = [LabelledImage(path, word(folder)) for path in sorted(folder.iterdir())[:5]]
    finish(start_lab(session, queue, Task(pictures, ()), variants(spec, PLACEMENTS)).jobs)
    return {to_csv([replace(result, seconds=0)]) for result in session.results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=int, default=24)
    count = parser.parse_args().lessons
    workers = start_ray_workers("2", threads=1)
    one, two = JobQueue(), JobQueue()
    one.start_workers(workers[:1])
    two.start_workers(workers)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folders = draw(Path(temporary), 6 * count + 4)  # an actor remembers pictures: no two alike
        unseen = iter(folders)
        for queue in (one, two, two):
            seconds(queue, folders[-4:])  # both have loaded their network
        taken = dict.fromkeys((one, two), 0.0)
        for turn in range(3):  # in turns: the pace of a machine wanders
            for queue in taken:
                taken[queue] += seconds(queue, list(islice(unseen, count)))
                print(f"{turn}: {taken[queue]:.2f} s", flush=True)
        each = [3 * count / took for took in taken.values()]
        print(f"trainings a second: {each[0]:.2f} with one actor, {each[1]:.2f} with two")
        rows.append(at_least("2 actors / 1: trainings a second", taken[two], taken[one], 1.8))
        alone, shared = lab(one, folders[0]), lab(two, folders[0])
        rows.append(at_most("the lab on 2 actors: rows that differ from 1", len(alone ^ shared), 0))
    show(rows)
    ray.shutdown()


if __name__ == "__main__":
    main()
