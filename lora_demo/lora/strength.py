"""How strongly a guarded adapter answers by itself."""

from __future__ import annotations

from statistics import median

import torch
from torch import Tensor

from lora_demo.limits import MAX_STRENGTH

MIN_STRENGTH = 0.5  # of the automatic one, which stays within the dial


def guarded_strength(examples: float, needed: list[float]) -> float:
    """Choose the strength of an adapter that was fitted at half strength: 0.5 to 2.

    The fewer `examples` of a class there are, the further from them the next picture lies: 1.5 for
    one, half of that for 23. Beside this stands what leave-one-out found, the strengths `needed`
    to recognise the hidden pictures: 3.3 times their median reaches nearly all, and a median above
    0.4 says more of odd pictures among the examples than of the next picture. The result is the
    geometric mean of both, in which n hidden pictures weigh n / (n + 20); a median below 0.1
    counts as 0.1. Measured with `tests/benchmarks/quality.py`; rules that follow the hidden
    pictures closer learn no more and break more.
    """
    strength = 1.5 * 22 / (21 + examples)
    if needed:
        by_test = 3.3 * min(max(median(needed), 0.1), 0.4)
        share = len(needed) / (len(needed) + 20)
        strength = strength ** (1 - share) * by_test**share
    return round(min(max(strength, MIN_STRENGTH), MAX_STRENGTH), 2)  # as the dial shows it


@torch.no_grad()
def needed_strengths(base: Tensor, delta: Tensor, labels: Tensor) -> Tensor:
    """Find the least strength at which each picture gets its label: (N,), infinite if none does.

    base (N, C) and delta (N, C) at strength 1 are logits. They are linear in the strength, so that
    at (L_c - L_y) / (delta_y - delta_c) the label y overtakes class c, or is overtaken if c gains
    more. Only `classifier` is not of that kind.
    """
    own = labels[:, None]
    behind = base - base.gather(1, own)
    gain = delta.gather(1, own) - delta
    overtakes = torch.where(gain > 0, behind / gain, torch.inf)
    lower = torch.where(behind > 0, overtakes, 0.0).amax(1)
    upper = torch.where(gain < 0, behind / gain, torch.inf).amin(1)
    return lower.masked_fill(lower >= upper, torch.inf)
