"""What belongs to one visitor: work, values of the page, files."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.limits import MAX_PICTURES, MAX_RESULTS, MAX_VISITOR_BYTES
from lora_demo.serving.job import Job
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.storage import STORAGE

if TYPE_CHECKING:
    from lora_demo.images.reading import LabelledImage
    from lora_demo.lab import Result
    from lora_demo.lora.adapter import Adapter
    from lora_demo.lora.cross_validation import Score
    from lora_demo.serving.runs import LabRun, Lesson

TOUCH_SECONDS = 60  # between two times that a visitor's files are touched
KEPT_TIMES = 4  # versions of a file to download: an older page may still ask for an older one
BYTES_A_LETTER = 2  # of what a value is written as; what Python takes for lists of short texts
MAX_TAUGHT = 5 * MAX_PICTURES  # pictures that taught and so test nothing; the oldest go first
PATH_BYTES = 700  # of a picture's path, whatever refers to it
STEP_SECONDS = 5  # that a stopped job may still need


@dataclass(frozen=True)
class Repair:
    """What a LoRA took for what it was taught, of the pictures that are to test the next one."""

    words: tuple[str, ...]
    corrections: int  # that had taught it
    tested: frozenset[Path]
    captured: frozenset[Path]
    recognised: Score | None  # of its hidden pictures


@dataclass(eq=False)
class Session:
    """All work of one visitor: `recording` writes into it, and the page is drawn from it."""

    secret: str = ""  # only the browser tab knows it; empty for API calls
    weight: int = 0  # its size in bytes when something was last added
    seen: float = field(default_factory=time.monotonic)
    touched: float = -math.inf  # when its files were touched last
    adapter: Adapter | None = None  # in use
    asked: Lesson | None = None  # the last one that was asked for
    passed_over: Lesson | None = None  # the one asked for before another LoRA was chosen
    begun: Lesson | None = None  # the last one whose turn came, and that did not fail
    results: list[Result] = field(default_factory=list)
    lab: LabRun | None = None
    harm: bool = False  # the LoRA in use broke what another recipe would not
    taught: dict[LabelledImage, None] = field(default_factory=dict)  # in order: they test nothing
    tested: frozenset[Path] = frozenset()  # pictures of other things, shown last
    captured: tuple[Path, ...] = ()  # of these, those that the LoRA takes for what it was taught
    repair: Repair | None = None  # the last one that was asked for
    page: dict = field(default_factory=dict)  # values by component, for after a reload
    set_aside: list = field(default_factory=list)  # pictures that may be brought back
    files: set[Path] = field(default_factory=set)  # of this visitor, on disk
    made: dict[str, list] = field(default_factory=dict)  # files to download, newest last; by kind

    @property
    def size_bytes(self) -> int:
        """Of the LoRAs, each tensor once, of the page's values, and of what taught and tested."""
        fitting = [lesson.fitting for lesson in (self.asked, self.begun) if lesson]
        held = [*filter(None, fitting), *self.results]
        adapters = {self.adapter, *(made.adapter for made in held)} - {None}
        tensors = {tensor for adapter in adapters for tensor in adapter.parameters()}
        values = BYTES_A_LETTER * sum(len(repr(value)) for value in tuple(self.page.values()))
        paths = PATH_BYTES * (len(self.taught) + len(self.tested))
        return sum(tensor.nbytes for tensor in tensors) + values + paths

    @property
    def has_work(self) -> bool:
        return bool(self.adapter or self.results or self.files)

    @property
    def jobs(self) -> list[Job]:  # those asked for last
        lesson = [self.asked.job] if self.asked else []
        return lesson + (self.lab.jobs if self.lab else [])

    @property
    def is_busy(self) -> bool:
        return any(not (job.done.is_set() or job.is_abandoned) for job in self.jobs)

    def choose(self, adapter: Adapter) -> None:
        """Take a LoRA into use; a training that is under way does not take its place."""
        self.adapter, self.passed_over, self.repair = adapter, self.asked, None

    def take_over(self, lesson: Lesson, adapter: Adapter) -> None:
        """Take what a training made into use, unless another LoRA was chosen meanwhile."""
        if self.passed_over is not lesson:
            self.adapter = adapter

    def remember_taught(self, pictures: Iterable[LabelledImage]) -> None:
        for picture in pictures:
            self.taught.pop(picture, None)
            self.taught[picture] = None
        for oldest in list(self.taught)[:-MAX_TAUGHT]:
            del self.taught[oldest]

    def add_result(self, result: Result) -> None:  # the oldest results go if it gets too much
        self.results = [*self.results, result][-MAX_RESULTS:]
        while self.size_bytes > MAX_VISITOR_BYTES and len(self.results) > 1:
            self.results = self.results[1:]

    def own(self, paths: Iterable[Path], kind: str = "") -> None:
        """Remember files, to delete them with the session; of a kind, keep only the newest."""
        paths = list(paths)
        if kind:
            made = [*self.made.get(kind, ()), paths]
            STORAGE.delete(file for old in made[:-KEPT_TIMES] for file in old)
            self.made[kind] = made[-KEPT_TIMES:]
        self.files.update(path.resolve() for path in paths)

    def touch(self) -> None:
        """Note a visit, and once a minute touch the files: Gradio deletes them after an hour."""
        self.seen = time.monotonic()
        if self.seen - self.touched < TOUCH_SECONDS:
            return
        self.touched = self.seen
        for file in tuple(self.files):
            try:
                os.utime(file)
                os.utime(file.parent)
            except OSError:
                self.files.discard(file)

    def drop_work(self) -> None:
        """Stop its jobs, and drop its LoRAs and results at once, also where a page shows them."""
        jobs, lessons = self.jobs, [self.asked, self.begun]
        for job in jobs:
            job.drop()
        QUEUE.stop(*jobs)
        for lesson in filter(None, lessons):
            lesson.drop()
        self.asked = self.begun = self.passed_over = self.adapter = self.lab = None
        self.results, self.page, self.set_aside, self.weight = [], {}, [], 0
        self.taught, self.tested, self.captured, self.repair = {}, frozenset(), (), None

    def empty(self, of_others: set[Path]) -> None:
        """Delete everything, in memory and on disk, except files that others have, too."""
        from lora_demo.backbones.features import forget_features

        jobs = self.jobs
        self.drop_work()
        for job in jobs:
            job.done.wait(STEP_SECONDS)
        files = self.files - of_others
        if files:
            QUEUE.run_on_all(forget_features, list(files))
        STORAGE.delete(files)
        vars(self).update(vars(Session()))
