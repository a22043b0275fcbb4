"""What the machine can do, measured: the limits that the code is held against."""

import time
from collections.abc import Callable

import torch


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The median, after one run that warms up."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[times // 2]


def matmul_flops() -> float:
    """Floating-point operations a second of a float32 matrix product, the best of three sizes."""
    best = 0.0
    for size in (1024, 2048, 4096):
        a, b = torch.randn(2, size, size)
        best = max(best, 2 * size**3 / seconds(lambda a=a, b=b: a @ b))
    return best


def bytes_per_second() -> float:
    """Of a copy of 256 MB, read and written."""
    source = torch.randn(2**26)
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: target.copy_(source))
