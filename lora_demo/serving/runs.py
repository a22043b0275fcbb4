"""What a visitor asked for, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lora_demo.serving.job import Job


@dataclass(frozen=True, eq=False)
class Lab:
    """What was asked of the lab: each of the jobs does its share of the trainings."""

    jobs: Sequence[Job]
    trainings: int

    @property
    def finished(self) -> int:
        """Of the trainings."""
        from lora_demo.serving.tasks import LabProgress

        newest = [job.newest for job in self.jobs]
        return sum(step.finished for step in newest if isinstance(step, LabProgress))
