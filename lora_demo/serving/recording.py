"""The one channel from jobs to a session: each step is recorded as it comes.

Whether the page is still open does not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lora_demo.images.reading import LabelledImage
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec, training_bytes
from lora_demo.serving.job import Job, Worker
from lora_demo.serving.queue import JobQueue
from lora_demo.serving.runs import LabRun, LabShare, Lesson
from lora_demo.serving.session import Session
from lora_demo.serving.sessions import SESSIONS

LOG = logging.getLogger("lora_demo")


@dataclass(frozen=True)
class Task:
    """The pictures to learn from, corrections among them, and those that should not change."""

    pictures: Sequence[LabelledImage]
    unrelated: Sequence[Path]

    @property
    def count(self) -> int:
        """Of the pictures that are read."""
        return len(self.pictures) + len(self.unrelated)


def start_lesson(
    session: Session,
    queue: JobQueue,
    task: Task,
    spec: AdapterSpec,
    settings: TrainingSettings,
    subject: tuple = (),
) -> Lesson:
    """Put a training in line, in the place of the visitor's last one.

    Raises `LoraDemoError` if the line is full.
    """
    lesson = Lesson(subject)
    work = partial(_train, session, lesson, task, spec, settings)
    lesson.job = Job(work, session, training_bytes(spec, task.count))
    queue.submit(lesson.job, instead_of=session.asked and session.asked.job)
    session.asked, session.passed_over = lesson, None
    return lesson


def start_lab(
    session: Session, queue: JobQueue, task: Task, specs: Sequence[AdapterSpec]
) -> LabRun:
    """Put a job for each worker in line, in the place of an earlier lab.

    Raises `LoraDemoError` if the line is full.
    """
    divided = queue.shares(specs)
    run = LabRun([LabShare() for _ in divided], len(specs))
    for share, its_specs in zip(run.shares, divided, strict=True):
        needed = max(training_bytes(spec, task.count) for spec in its_specs)
        share.job = Job(partial(_run_share, session, share, task, its_specs), None, needed)
    queue.submit_all(run.jobs, instead_of=session.lab.jobs if session.lab else ())
    session.lab = run
    return run


def _train(
    session: Session,
    lesson: Lesson,
    task: Task,
    spec: AdapterSpec,
    settings: TrainingSettings,
    worker: Worker,
) -> Generator:
    """Record the steps; after an error, restore what was there before."""
    from lora_demo.serving.tasks import train_and_evaluate

    before = session.adapter, session.begun
    try:
        for step in worker(train_and_evaluate, task.pictures, spec, settings, task.unrelated):
            _record(step, session, lesson)
            yield step
    except Exception:
        trained, session.begun = lesson.fitting, before[1]
        if trained and session.adapter is trained.adapter:  # not another one, chosen meanwhile
            session.adapter = before[0]
        raise
    finally:
        if lesson.reading:
            LOG.info("training: %s", lesson.summary)


def _record(step: object, session: Session, lesson: Lesson) -> None:
    from lora_demo.backbones.examples import ReadingProgress
    from lora_demo.lab import Result
    from lora_demo.lora.cross_validation import HeldBack
    from lora_demo.lora.fitting import FitProgress

    if lesson.job.dropped:
        return
    if isinstance(step, ReadingProgress):
        if not lesson.fitting:  # else a worker was lost, and all began anew
            lesson.reading, session.begun = step, lesson
    elif isinstance(step, FitProgress):
        is_first = not lesson.fitting
        if not lesson.fitting or len(step.points) >= len(lesson.fitting.points):
            lesson.fitting = step
            session.take_over(lesson, step.adapter)
        if is_first:
            SESSIONS.make_room(session)
    elif isinstance(step, HeldBack):
        lesson.held_back = step
    elif isinstance(step, Result):
        lesson.result = step
        session.take_over(lesson, step.adapter)
        session.add_result(step)
        SESSIONS.make_room(session)


def _run_share(
    session: Session,
    share: LabShare,
    task: Task,
    specs: Sequence[AdapterSpec],
    worker: Worker,
) -> Generator:
    """Record the steps; each result joins the visitor's others."""
    from lora_demo.backbones.examples import ReadingProgress
    from lora_demo.serving.tasks import run_lab

    for step in worker(run_lab, task.pictures, specs, task.unrelated):
        if isinstance(step, ReadingProgress):
            share.reading = step
        elif share.job.dropped:
            pass
        elif step.finished > share.finished:
            session.add_result(step.step)
            SESSIONS.make_room(session)
            share.finished, share.spec = step.finished, step.spec
        elif step.finished == share.finished:  # else a worker was lost, and all began anew
            share.spec = step.spec
        yield step
