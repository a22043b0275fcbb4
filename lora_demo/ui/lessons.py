"""What a visitor's lesson and lab leave behind, whether or not the page is still open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lora_demo.long_work import Job, Worker
from lora_demo.ui.visitors import Visitor
from lora_demo.ui.watch import log_training


@dataclass(frozen=True)
class Lab:
    """What was asked of the lab: each of the jobs does its share of the trainings."""

    jobs: Sequence[Job]
    trainings: int

    @property
    def finished(self) -> int:
        """Of the trainings."""
        from lora_demo.jobs import Experiment

        newest = [job.newest for job in self.jobs]
        return sum(step.finished for step in newest if isinstance(step, Experiment))


def learn(me: Visitor, arguments: tuple, worker: Worker) -> Iterator:
    """The steps of a lesson, each written down; after an error all is as it was before."""
    from lora_demo.jobs import teach
    from lora_demo.lab import Result
    from lora_demo.training import FitProgress

    before, trained = (me.adapter, me.lesson), None
    try:
        for made in worker(teach, *arguments):
            if isinstance(made, FitProgress):
                if trained is None or len(made.points) >= len(trained.points):  # else begun anew
                    me.lesson = trained = made
                    me.adapter = made.adapter or me.adapter
            elif isinstance(made, Result):
                me.adapter = made.adapter
                me.add_result(made)
            yield made
    except Exception:
        me.lesson = before[1]
        if trained and me.adapter is trained.adapter:  # not another one, chosen meanwhile
            me.adapter = before[0]
        raise
    finally:
        if trained:
            log_training(trained)


def collect(me: Visitor, arguments: tuple, worker: Worker) -> Iterator:
    """The steps of one job of the lab; what is found joins the visitor's other results."""
    from lora_demo.jobs import Experiment, experiment
    from lora_demo.lab import Result

    collected = 0  # what a worker was lost with is begun anew
    for made in worker(experiment, *arguments):
        found = isinstance(made, Experiment) and isinstance(made.step, Result)
        if found and made.number > collected:
            me.add_result(made.step)
            collected = made.number
        yield made
