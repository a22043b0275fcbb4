"""Keep the files that visitors sent or may fetch: bounded in bytes, by sender and in all.

Each file has a folder of its own, with a name that nobody can guess: whoever knows it was told.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import lora_demo.limits as limits
from lora_demo.errors import LoraDemoError
from lora_demo.serving.cleanup import delete_old

Owned = Callable[[], set[Path]]  # finds the folders that belong to somebody's session
THE_APP = ""  # as a sender: what is to be fetched
RETRY_SECONDS = 1.0  # for which it is not searched again where nothing was found
FORGET = "If you need your pictures no longer, press “Forget my pictures” in step 7; or come back"
FROM_YOU = f"All the room for files from your internet connection is taken. {FORGET} in an hour."
FROM_ALL = f"The computer that runs this page has no room for more files. {FORGET} in an hour."


class StorageFullError(LoraDemoError):
    """No room is left, and what is there belongs to somebody."""


@dataclass
class Folder:
    sender: str  # an address, or the app
    bytes: int = 0
    filling: bool = True  # so that it stays, although it belongs to no session yet


class Storage:
    def __init__(self) -> None:
        self._folders: dict[Path, Folder] = {}  # oldest first
        self._used: Counter[str] = Counter()  # bytes, by sender
        self._full_until: dict[str, float] = {}  # by refusal and sender
        self._lock = threading.Lock()

    def new_folder(self, root: Path, sender: str = THE_APP) -> Path:
        """Make a folder that is to be filled, and then closed."""
        path = root.resolve() / secrets.token_hex(16)
        path.mkdir(parents=True)
        with self._lock:
            self._folders[path] = Folder(sender)
            self._count(path, limits.MIN_FILE_BYTES)
        return path

    def grow(self, path: Path, more: int, owned: Owned) -> None:
        """Count bytes that are about to come, and make room for them.

        What belongs to no session goes, the oldest of whoever has most. Raises `StorageFullError`.
        """
        free = shutil.disk_usage(path).free
        gone: list[Path] = []
        try:
            with self._lock:
                self._count(path, more)
                sender = self._folders[path].sender
                if sender != THE_APP and self._used[sender] > limits.MAX_SENDER_BYTES:
                    over = self._used[sender] - limits.MAX_SENDER_BYTES
                    self._make_room(over, owned, gone, FROM_YOU, sender)
                over = self._used.total() - limits.MAX_STORED_BYTES
                if over > 0 or free < limits.MIN_FREE_DISK_BYTES:
                    over = max(over, limits.MIN_FREE_DISK_BYTES - free)
                    self._make_room(over, owned, gone, FROM_ALL)
        finally:
            for old in gone:
                shutil.rmtree(old, ignore_errors=True)

    def close(self, path: Path) -> None:
        """Count what is in the folder now; from here on it may go if it belongs to nobody."""
        with suppress(OSError), self._lock:
            size = sum(file.stat().st_size for file in os.scandir(path))
            if path in self._folders:
                self._count(path, limits.MIN_FILE_BYTES + size - self._folders[path].bytes)
                self._folders[path].filling = False

    def delete(self, files: Iterable[Path]) -> None:
        """Delete the folders of these files; a file elsewhere, as of our own pictures, stays."""
        for folder in {file.parent for file in files}:
            with self._lock:
                is_ours = self._drop(folder)
            if is_ours:
                shutil.rmtree(folder, ignore_errors=True)

    def tidy(self, root: Path) -> None:
        """Delete what is an hour old, also of earlier processes, and count anew what is there."""
        delete_old(root.resolve().glob("*"))
        for path, folder in tuple(self._folders.items()):
            if not path.exists():
                with self._lock:
                    self._drop(path)
            elif not folder.filling:
                self.close(path)

    def clear(self) -> None:
        self.delete(path / "any" for path in tuple(self._folders))

    def _make_room(
        self, over: int, owned: Owned, gone: list[Path], refusal: str, sender: str | None = None
    ) -> None:
        """Drop what nobody has, of one sender or of all; more than need be, as a search is slow."""
        now, key = time.monotonic(), sender or refusal
        if now < self._full_until.get(key, 0):
            raise StorageFullError(refusal)
        kept, more = owned(), limits.MAX_STORED_BYTES // 20
        spare = [
            (-self._used[folder.sender], path)
            for path, folder in self._folders.items()
            if not folder.filling and path not in kept and sender in (None, folder.sender)
        ]
        for _, path in sorted(spare, key=lambda pair: pair[0]):
            if more + over <= 0:
                return
            over -= self._folders[path].bytes
            self._drop(path)
            gone.append(path)
        if over > 0:
            self._full_until = {key: now + RETRY_SECONDS}
            raise StorageFullError(refusal)

    def _count(self, path: Path, more: int) -> None:
        folder = self._folders[path]
        folder.bytes += more
        self._used[folder.sender] += more

    def _drop(self, path: Path) -> bool:
        folder = self._folders.pop(path, None)
        if folder:
            self._used[folder.sender] -= folder.bytes
            if not self._used[folder.sender]:
                del self._used[folder.sender]
        return folder is not None


STORAGE = Storage()  # of this process
