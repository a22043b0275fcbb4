"""What belongs to one visitor, kept for an hour and found again by a secret in the browser."""

from __future__ import annotations

import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.limits import (
    KEEP_SECONDS,
    MAX_KEPT_BYTES,
    MAX_RESULTS,
    MAX_VISITOR_BYTES,
    MAX_VISITORS,
)
from lora_demo.serving.job import Job
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.storage import STORAGE

if TYPE_CHECKING:
    from lora_demo.lab import Result
    from lora_demo.lora.adapter import Adapter
    from lora_demo.serving.runs import LabRun, Lesson

LOG = logging.getLogger("lora_demo")
TRIM_SECONDS = 60  # between two deletions of what is old
KEPT_TIMES = 4  # versions of a file to download: an older page may still ask for an older one
STEP_SECONDS = 5  # that a stopped job may still need


@dataclass(eq=False)
class Session:
    """All work of one visitor: `recording` writes into it, and the page is drawn from it."""

    secret: str = ""  # only the browser tab knows it; empty for API calls
    seen: float = field(default_factory=time.monotonic)
    touched: float = -math.inf  # when its files were touched last
    adapter: Adapter | None = None  # in use
    asked: Lesson | None = None  # the last one that was asked for
    begun: Lesson | None = None  # the last one whose turn came, and that did not fail
    results: list[Result] = field(default_factory=list)
    lab: LabRun | None = None
    harm: bool = False  # the LoRA in use broke what another recipe would not
    page: dict = field(default_factory=dict)  # values by component, for after a reload
    set_aside: list = field(default_factory=list)  # pictures that may be brought back
    files: set[Path] = field(default_factory=set)  # of this visitor, on disk
    made: dict[str, list] = field(default_factory=dict)  # files to download, newest last; by kind

    @property
    def size_bytes(self) -> int:  # of the LoRAs, each once
        adapters = {self.adapter, *(result.adapter for result in self.results)} - {None}
        return sum(p.nbytes for adapter in adapters for p in adapter.parameters())

    @property
    def jobs(self) -> list[Job]:  # those asked for last
        lesson = [self.asked.job] if self.asked else []
        return lesson + (self.lab.jobs if self.lab else [])

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
        if self.seen - self.touched < TRIM_SECONDS:
            return
        self.touched = self.seen
        for file in tuple(self.files):
            try:
                os.utime(file)
                os.utime(file.parent)
            except OSError:
                self.files.discard(file)

    def empty(self, of_others: set[Path]) -> None:
        """Delete everything, in memory and on disk, except files that others have, too."""
        from lora_demo.backbones.features import forget_features

        QUEUE.stop(*self.jobs)
        for job in self.jobs:
            job.done.wait(STEP_SECONDS)
        files = self.files - of_others
        if files:
            QUEUE.run_on_all(forget_features, list(files))
        STORAGE.delete(files)
        vars(self).update(vars(Session()))


class Sessions:
    """The sessions of the last hour, by secret; bounded in number, bytes and age."""

    def __init__(self) -> None:
        self._by_secret: dict[str, Session] = {}  # who was seen last is last
        self._lock = threading.Lock()

    def find(self, secret: object) -> Session:
        """Return the session with that secret, or a new one with a secret of 256 bits."""
        with self._lock:
            found = self._by_secret.get(secret) if isinstance(secret, str) else None
        visitor = found or Session(secrets.token_urlsafe(32))
        self.keep(visitor)
        return visitor

    def keep(self, visitor: Session) -> None:
        """Keep a session, as it is in use. An emptied one has no secret and is not kept."""
        visitor.touch()
        if visitor.secret:
            with self._lock:
                self._by_secret.pop(visitor.secret, None)
                self._by_secret[visitor.secret] = visitor

    def forget(self, visitor: Session) -> None:
        with self._lock:
            self._by_secret.pop(visitor.secret, None)
            visitor.secret = ""  # so that it is not kept again
            others = {f for other in self._by_secret.values() for f in tuple(other.files)}
        visitor.empty(others)

    def folders(self) -> set[Path]:
        """List the folders in which the files of visitors lie."""
        with self._lock:
            kept = tuple(self._by_secret.values())
        return {file.parent for visitor in kept for file in tuple(visitor.files)}

    def trim(self) -> None:
        with self._lock:
            kept = sorted(self._by_secret.values(), key=lambda v: bool(v.adapter or v.files))
        used = sum(visitor.size_bytes for visitor in kept)
        for number, visitor in enumerate(kept):
            too_many = len(kept) - number > MAX_VISITORS or used > MAX_KEPT_BYTES
            if too_many or time.monotonic() - visitor.seen > KEEP_SECONDS:
                used -= visitor.size_bytes
                self.forget(visitor)

    def start_trimming(self) -> None:
        """Trim once a minute in a thread, so that old work goes on quiet days, too."""
        threading.Thread(target=self._trim_forever, daemon=True).start()

    def _trim_forever(self) -> None:
        while True:
            time.sleep(TRIM_SECONDS)
            try:
                self.trim()
            except Exception:  # the next time may be better
                LOG.exception("old work could not be forgotten")


SESSIONS = Sessions()  # of this process
