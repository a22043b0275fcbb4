"""An honest test with few pictures: each is hidden in turn, and learned from the others alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_demo.adapters import Adapter
from lora_demo.backbones import FrozenModel
from lora_demo.features import FeatureSet
from lora_demo.guard import guarded_strength
from lora_demo.specs import AdapterSpec, Placement, TrainingSettings
from lora_demo.training import fit

MAX_FOLDS = 12  # with more pictures several are hidden at once


@dataclass(frozen=True)
class Score:
    correct: int
    total: int

    def __str__(self) -> str:
        return f"{self.correct} of {self.total}"


@dataclass(frozen=True)
class HeldBack:
    """How many hidden pictures were recognised so far, without LoRA and with it."""

    fold: int  # from 1
    folds: int
    base: Score
    adapted: Score  # at this strength:
    strength: float  # the one asked for; else, for `guarded`, the automatic one, which is to be set


def leave_one_out(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[HeldBack]:
    """Train again without each picture, and ask for the hidden ones; one result a fold.

    The frozen network is not run. Of one picture nothing can be hidden: no result.
    """
    count = len(features.labels)
    if count < 2:
        return
    folds = torch.arange(count).tensor_split(min(count, MAX_FOLDS))
    automatic = spec.placement is Placement.GUARDED and spec.strength is None
    strength = 1.0 if spec.strength is None else spec.strength
    base = adapted = total = 0
    needed: list[float] = []
    for number, hidden in enumerate(folds, start=1):
        shown = torch.ones(count, dtype=torch.bool)
        shown[hidden] = False
        *_, progress = fit(model, features.pick(shown), spec, settings)
        asked = features.pick(~shown)
        base += _correct(asked.logits, asked.labels)
        total += len(hidden)
        if automatic:
            needed += needed_strengths(progress.adapter, asked).tolist()
            strength = guarded_strength(count / len(features.labels.unique()), needed)
            adapted = sum(need < strength for need in needed)
        else:
            adapted += _correct(progress.adapter.logits(asked, strength), asked.labels)
        yield HeldBack(number, len(folds), Score(base, total), Score(adapted, total), strength)


@torch.no_grad()
def needed_strengths(adapter: Adapter, asked: FeatureSet) -> Tensor:
    """The least strength at which each picture gets its own label: (N,), infinite where none does.

    Logits grow in line with the strength, so that at (L_c - L_y) / (delta_y - delta_c) the label
    y overtakes class c; `classifier` alone is not of that kind.
    """
    delta = adapter.delta(adapter.inputs(asked), 1.0)  # (N, C)
    own = asked.labels[:, None]
    behind = adapter.base_logits(asked) - adapter.base_logits(asked).gather(1, own)
    gain = delta.gather(1, own) - delta
    needed = torch.where(gain > 0, behind / gain, torch.inf).masked_fill(behind <= 0, 0.0)
    return needed.amax(1).clamp_min(0)


def _correct(logits: Tensor, labels: Tensor) -> int:
    return (logits.argmax(1) == labels).sum().item()
