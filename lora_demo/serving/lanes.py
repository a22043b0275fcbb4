"""Threads in which pictures are looked at: a small one never waits for large ones."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lora_demo.limits import MAX_PIXELS

Answer = TypeVar("Answer")


def _step_back(niceness: int) -> None:
    """Leave the processor to others first. Linux does that for a single thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


# One picture at a time in each: together they take at most 500 MB. The largest of each lane takes
# about 0.05, 0.5 and 1.7 s. Whoever has many hands in one at a time, so that all have fair turns.
LANES = {
    2_000_000: ThreadPoolExecutor(1, "small"),
    16_000_000: ThreadPoolExecutor(1, "medium"),  # a phone's photos
    MAX_PIXELS: ThreadPoolExecutor(1, "large", _step_back, (10,)),
}


async def in_lane(pixels: int, look: Callable[..., Answer], *arguments: object) -> Answer:
    """Return what the function returns, in the thread for pictures of that size."""
    lane = next(lane for most, lane in LANES.items() if pixels <= most)
    return await asyncio.get_running_loop().run_in_executor(lane, look, *arguments)
