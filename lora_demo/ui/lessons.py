"""What a visitor's lesson and lab leave behind, whether or not the page is still open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from lora_demo.desk import Desk
from lora_demo.images import LabelledImage
from lora_demo.long_work import Job, Worker
from lora_demo.specs import AdapterSpec
from lora_demo.ui.runs import Lab
from lora_demo.ui.visitors import Visitor
from lora_demo.ui.watch import log_training


def start_lab(
    me: Visitor,
    desk: Desk,
    pictures: Sequence[LabelledImage],
    specs: Sequence[AdapterSpec],
    unrelated: Sequence[Path],
) -> Lab:
    """In the place of an earlier one. Raises `LoraDemoError` where the line is full."""
    shares = desk.shares(specs)
    jobs = [Job(partial(collect, me, (pictures, share, unrelated))) for share in shares]
    desk.submit_all(jobs, instead_of=me.lab.jobs if me.lab else ())
    me.lab = Lab(jobs, len(specs))
    return me.lab


def learn(me: Visitor, subject: tuple, arguments: tuple, worker: Worker) -> Iterator:
    """The steps of a lesson, each written down; after an error all is as it was before."""
    from lora_demo.jobs import teach
    from lora_demo.lab import Result
    from lora_demo.training import FitProgress

    before, trained = (me.adapter, me.lesson, me.learned), None
    try:
        for made in worker(teach, *arguments):
            if isinstance(made, FitProgress):
                if trained is None or len(made.points) >= len(trained.points):  # else begun anew
                    me.lesson = trained = made
                    me.learned = subject
                    me.adapter = made.adapter or me.adapter
            elif isinstance(made, Result):
                me.adapter = made.adapter
                me.add_result(made)
            yield made
    except Exception:
        _, me.lesson, me.learned = before
        if trained and me.adapter is trained.adapter:  # not another one, chosen meanwhile
            me.adapter = before[0]
        raise
    finally:
        if trained:
            log_training(trained)


def collect(me: Visitor, arguments: tuple, worker: Worker) -> Iterator:
    """The steps of one job of the lab; what is found joins the visitor's other results."""
    from lora_demo.jobs import Experiment, experiment

    newest, collected = None, 0
    for made in worker(experiment, *arguments):
        finished = made.finished if isinstance(made, Experiment) else 0
        if finished > collected:
            me.add_result(made.step)
            collected = finished
        if finished == collected:  # else a worker was lost, and it was begun anew
            newest = made
        yield newest
