"""What a visitor sees of the jobs asked for: place in line, that they stop, how they ended.

Whether there is a button to start or one to stop is a matter of style: see look.css.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lora_demo.desk import DESK
from lora_demo.errors import LoraDemoError
from lora_demo.limits import MAX_JOB_SECONDS
from lora_demo.long_work import AWAY, OUT_OF_TIME, Job
from lora_demo.ui.notes import note, problem

STOPPING = note("Stopping …", "busy")
WATCH = {"concurrency_limit": None, "concurrency_id": None}  # watchers only look and sleep


@dataclass(frozen=True, eq=False)
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


def waiting_note(job: Job) -> str:
    before = DESK.before(job)
    if not before:
        return note("It is your turn now …" if before is None else "You are next …", "busy")
    return note(f"Waiting for its turn: <b>{before}</b> before you. You may stop it.", "busy")


def failed_note(error: Exception) -> str:
    if isinstance(error, LoraDemoError):
        return problem(error)
    return note("That should not have happened. Try once more.", "bad")


def cut_short_note(job: Job) -> str:
    """Why it ended, where the visitor did not stop it."""
    if job.end == OUT_OF_TIME:
        return note(f"After {MAX_JOB_SECONDS // 60} minutes it was stopped, to be fair.", "warn")
    if job.end == AWAY:
        return note("It was stopped, as nobody was there for more than a minute.", "warn")
    return ""
