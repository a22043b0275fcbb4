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

    fold: int  # from 1; a part of the pictures, one of them where there are at most 12
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

    The trunk is not run. Of one picture nothing can be hidden: no result.
    """
    count = len(features.labels)
    if count < 2:
        return
    folds = torch.arange(count).tensor_split(min(count, MAX_FOLDS))
    automatic = spec.placement is Placement.GUARDED and spec.strength is None
    strength = 1.0 if spec.strength is None else spec.strength
    base = total = 0
    needed: list[float] = []
    trials: list[tuple[Adapter, FeatureSet]] = []
    for number, hidden in enumerate(folds, start=1):
        shown = torch.ones(count, dtype=torch.bool)
        shown[hidden] = False
        *_, progress = fit(model, features.pick(shown), spec, settings)
        asked = features.pick(~shown)
        base += _correct(asked.logits, asked.labels)
        total += len(hidden)
        trials.append((progress.adapter, asked))
        if automatic:
            needed += needed_strengths(progress.adapter, asked).tolist()
            strength = guarded_strength(features.pictures_per_class, needed)
        adapted = sum(_correct(one.logits(x, strength), x.labels) for one, x in trials)
        yield HeldBack(number, len(folds), Score(base, total), Score(adapted, total), strength)


@torch.no_grad()
def needed_strengths(adapter: Adapter, asked: FeatureSet) -> Tensor:
    """The least strength at which each picture gets its own label: (N,), infinite where none does.

    Logits are linear in the strength, so that at (L_c - L_y) / (delta_y - delta_c) the label y
    overtakes class c, or is overtaken where c gains more; `classifier` alone is not of that kind.
    """
    delta = adapter.delta(adapter.inputs(asked), 1.0)  # (N, C)
    own = asked.labels[:, None]
    behind = adapter.base_logits(asked) - adapter.base_logits(asked).gather(1, own)
    gain = delta.gather(1, own) - delta
    overtakes = torch.where(gain > 0, behind / gain, torch.inf)
    lower = torch.where(behind > 0, overtakes, 0.0).amax(1)
    upper = torch.where(gain < 0, behind / gain, torch.inf).amin(1)
    return lower.masked_fill(lower >= upper, torch.inf)


def _correct(logits: Tensor, labels: Tensor) -> int:
    return (logits.argmax(1) == labels).sum().item()
