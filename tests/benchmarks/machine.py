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


def share_of_peak(work: Callable[[], object], flop: float, rounds: int = 5) -> float:
    """Of the floating-point operations a second of a float32 matrix product, the best of three
    sizes; measured in turns, as the machine's pace changes.
    """
    pairs = [torch.randn(2, size, size) for size in (1024, 2048, 4096)]
    paces: list[list[float]] = [[] for _ in range(1 + len(pairs))]
    for _ in range(rounds):
        paces[0].append(flop / seconds(work, 1))
        for pace, (a, b) in zip(paces[1:], pairs, strict=True):
            pace.append(2 * len(a) ** 3 / seconds(lambda a=a, b=b: a @ b, 3))
    ours, *products = (sorted(pace)[rounds // 2] for pace in paces)
    return ours / max(products)


def bytes_per_second() -> float:
    """Of a copy of 256 MB, read and written."""
    source = torch.randn(2**26)
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: target.copy_(source))
