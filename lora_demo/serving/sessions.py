"""Everybody's work, kept for an hour, found again by a secret in the browser, and bounded."""

from __future__ import annotations

import logging
import secrets
import threading
import time
import weakref
from pathlib import Path

from lora_demo.limits import KEEP_SECONDS, KEEP_UNNAMED_SECONDS, MAX_KEPT_BYTES, MAX_VISITORS
from lora_demo.serving.cleanup import give_back_memory
from lora_demo.serving.session import Session

LOG = logging.getLogger("lora_demo")
TRIM_SECONDS = 60  # between two deletions of what is old


class Sessions:
    """The sessions of the last hour, by secret; bounded in number, bytes and age."""

    def __init__(self) -> None:
        self._by_secret: dict[str, Session] = {}  # who was seen last is last
        self._everybody: weakref.WeakSet[Session] = weakref.WeakSet()  # also those without a secret
        self._put_out: list[Session] = []  # without their work; their files are still to go
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

    def make_room(self, visitor: Session) -> None:
        """Keep the bytes of all within their bound, now that a visitor has more to be kept.

        Who has no secret loses all first, as such sessions are free to invent; then who is not at
        work, and who was away longest.
        """
        with self._lock:
            self._everybody.add(visitor)
            visitor.weight = visitor.size_bytes
            everybody = list(self._everybody)
            over = sum(other.weight for other in everybody) - MAX_KEPT_BYTES
            if over <= 0:
                return
            everybody.sort(key=lambda v: (bool(v.secret), v.is_busy, v.seen))
            going = []
            for other in everybody:
                if over > 0 and other.weight and other is not visitor:
                    over -= other.weight
                    self._by_secret.pop(other.secret, None)
                    other.secret = ""
                    going.append(other)
            self._put_out += going
        for other in going:
            other.drop_work()
        give_back_memory()

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
        """Forget who was put out, who is too many, and who was away for too long."""
        with self._lock:
            kept = sorted(self._by_secret.values(), key=lambda visitor: visitor.has_work)
            put_out, self._put_out = self._put_out, []
            unnamed = [visitor for visitor in self._everybody if not visitor.secret]
        now = time.monotonic()
        old = [visitor for visitor in kept if now - visitor.seen > KEEP_SECONDS]
        old += [visitor for visitor in unnamed if now - visitor.seen > KEEP_UNNAMED_SECONDS]
        for visitor in {*put_out, *kept[: max(0, len(kept) - MAX_VISITORS)], *old}:
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
