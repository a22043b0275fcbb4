"""An honest test with few pictures: each is hidden in turn, and learned from the others alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_demo.adapters import AdapterSpec
from lora_demo.backbones import FrozenModel
from lora_demo.features import FeatureSet
from lora_demo.training import TrainingSettings, fit

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
    adapted: Score


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
    base = adapted = total = 0
    for number, hidden in enumerate(folds, start=1):
        shown = torch.ones(count, dtype=torch.bool)
        shown[hidden] = False
        *_, progress = fit(model, features.pick(shown), spec, settings)
        asked = features.pick(~shown)
        base += _correct(asked.logits, asked.labels)
        adapted += _correct(progress.adapter.logits(asked), asked.labels)
        total += len(hidden)
        yield HeldBack(number, len(folds), Score(base, total), Score(adapted, total))


def _correct(logits: Tensor, labels: Tensor) -> int:
    return (logits.argmax(1) == labels).sum().item()
