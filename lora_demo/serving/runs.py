"""What a visitor asked for, and how far it came. `recording` fills it in, and the page draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lora_demo.serving.job import Job

if TYPE_CHECKING:
    from lora_demo.backbones.examples import ReadingProgress
    from lora_demo.lab import Result
    from lora_demo.lora.cross_validation import HeldBack
    from lora_demo.lora.fitting import FitProgress
    from lora_demo.lora.spec import AdapterSpec


@dataclass(eq=False)
class Lesson:
    """One training and its fair test."""

    subject: tuple  # the pictures, each with its word: to tell whether the page still shows them
    job: Job = field(init=False)
    reading: ReadingProgress | None = None
    fitting: FitProgress | None = None
    held_back: HeldBack | None = None
    result: Result | None = None

    @property
    def is_trained(self) -> bool:
        """Whether the training is over, however it ended; the fair test comes after it."""
        return self.job.done.is_set() or bool(self.held_back or self.result)

    @property
    def summary(self) -> str:
        """Say for the log what was trained and how long; no pictures, names or words."""
        reading, fitting = self.reading, self.fitting
        if not reading or not fitting:
            return f"stopped while reading {reading.pictures if reading else 0} pictures"
        spec = fitting.spec
        return (
            f"{spec.model_name}, {spec.placement.value}, rank {spec.rank}, "
            f"{reading.pictures_read} pictures and {len(reading.refused)} left out, "
            f"{len(fitting.points)} of {fitting.settings.epochs} epochs, "
            f"{fitting.points[-1].seconds:.2f} s"
        )

    def drop(self) -> None:
        """Let go of its LoRA: an open page may hold the lesson itself for longer."""
        self.job.drop()
        self.fitting = self.held_back = self.result = None


@dataclass(eq=False)
class LabShare:
    """What one worker does of a lab."""

    job: Job = field(init=False)
    reading: ReadingProgress | None = None
    spec: AdapterSpec | None = None  # of the training that is under way
    finished: int = 0  # trainings


@dataclass(frozen=True, eq=False)
class LabRun:
    """Many trainings of the same pictures, shared by all workers."""

    shares: Sequence[LabShare]
    trainings: int

    @property
    def jobs(self) -> list[Job]:
        return [share.job for share in self.shares]

    @property
    def finished(self) -> int:
        """Of the trainings."""
        return sum(share.finished for share in self.shares)
