"""What a visitor's lesson and lab leave behind, whether or not the page is still open."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.images.reading import LabelledImage
from lora_demo.lora.spec import AdapterSpec
from lora_demo.serving.job import Job, Worker
from lora_demo.serving.queue import JobQueue
from lora_demo.serving.runs import Lab
from lora_demo.serving.sessions import Session

if TYPE_CHECKING:
    from lora_demo.lora.fitting import FitProgress

LOG = logging.getLogger("lora_demo")


def start_lab(
    session: Session,
    queue: JobQueue,
    pictures: Sequence[LabelledImage],
    specs: Sequence[AdapterSpec],
    unrelated: Sequence[Path],
) -> Lab:
    """In the place of an earlier one. Raises `LoraDemoError` where the line is full."""
    shares = queue.shares(specs)
    jobs = [Job(partial(collect, session, (pictures, share, unrelated))) for share in shares]
    queue.submit_all(jobs, instead_of=session.lab.jobs if session.lab else ())
    session.lab = Lab(jobs, len(specs))
    return session.lab


def learn(session: Session, subject: tuple, arguments: tuple, worker: Worker) -> Iterator:
    """The steps of a lesson, each written down; after an error all is as it was before."""
    from lora_demo.lab import Result
    from lora_demo.lora.fitting import FitProgress
    from lora_demo.serving.tasks import train_and_evaluate

    before, trained = (session.adapter, session.lesson, session.learned), None
    try:
        for made in worker(train_and_evaluate, *arguments):
            if isinstance(made, FitProgress):
                if trained is None or len(made.points) >= len(trained.points):  # else begun anew
                    session.lesson = trained = made
                    session.learned = subject
                    session.adapter = made.adapter or session.adapter
            elif isinstance(made, Result):
                session.adapter = made.adapter
                session.add_result(made)
            yield made
    except Exception:
        _, session.lesson, session.learned = before
        if trained and session.adapter is trained.adapter:  # not another one, chosen meanwhile
            session.adapter = before[0]
        raise
    finally:
        if trained:
            log_training(trained)


def collect(session: Session, arguments: tuple, worker: Worker) -> Iterator:
    """The steps of one job of the lab; what is found joins the visitor's other results."""
    from lora_demo.serving.tasks import LabProgress, run_lab

    newest, collected = None, 0
    for made in worker(run_lab, *arguments):
        finished = made.finished if isinstance(made, LabProgress) else 0
        if finished > collected:
            session.add_result(made.step)
            collected = finished
        if finished == collected:  # else a worker was lost, and it was begun anew
            newest = made
        yield newest


def log_training(progress: FitProgress) -> None:
    """What and how long; no pictures, names or words."""
    if progress.spec is None:
        LOG.info("training: stopped while reading %d pictures", progress.pictures)
        return
    LOG.info(
        "training: %s, %s, rank %d, %d pictures and %d left out, %d of %d epochs, %.2f s",
        progress.spec.model_name,
        progress.spec.placement.value,
        progress.spec.rank,
        progress.pictures_read,
        len(progress.refused),
        len(progress.points),
        progress.epochs,
        progress.points[-1].seconds,
    )
