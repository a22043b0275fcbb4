"""What is to go: files, and memory that nobody uses any more."""

import ctypes
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lora_demo.limits import KEEP_SECONDS


def delete(files: Iterable[Path]) -> None:
    """And the folder of each, where nothing else is in it."""
    for file in files:
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()


def delete_old(folders: Iterable[Path]) -> None:
    """With all that is in them, those that nothing was put into for an hour."""
    for folder in folders:
        with suppress(FileNotFoundError):  # somebody else may be first
            if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def give_back_memory() -> None:
    """To the system. Linux's C library keeps what was freed: 200 MB after a hundred trainings."""
    with suppress(AttributeError, OSError, TypeError):  # another system's has no such function
        ctypes.CDLL(None).malloc_trim(0)
