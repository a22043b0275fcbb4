"""What a hostile file may cost: little time, and little memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS, MEGABYTES = 2.0, 200  # for one file; all of these files can be refused with far less


@contextmanager
def at_once() -> Iterator[None]:
    """In little time, and with little memory above what is in use already."""
    marks = Path("/proc/self/clear_refs")  # of Linux: a 5 sets the mark of most memory back
    before = None
    if marks.exists():
        marks.write_text("5")
        before = most_megabytes()
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < SECONDS
    assert before is None or most_megabytes() - before < MEGABYTES


def most_megabytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))
