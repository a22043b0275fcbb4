"""An honest test with few pictures: each is hidden in turn while the others are learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import known_words
from lora_demo.lora.methods import check_examples, method_of, new_adapter
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec

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

    fold: int  # from 1; a part of the pictures, one of them if there are at most 12
    folds: int
    base: Score
    adapted: Score  # at this strength:
    strength: float  # the one asked for; otherwise the one that `guarded` found


def leave_one_out(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[HeldBack]:
    """Train again without each picture, and ask for the hidden ones; yield one result a fold.

    The trunk is not run. With one picture nothing can be hidden: no result. Raises `LoraDemoError`
    as `fit` does.
    """
    count = len(features.labels)
    if count < 2:
        return
    check_examples(features, spec, len(known_words(spec.class_names, model.categories)))
    every = torch.arange(count, device=features.labels.device)
    folds = every.tensor_split(min(count, MAX_FOLDS))  # neighbours are hidden together
    base = features.logits.argmax(1) == features.labels
    scores = method_of(spec).score_folds(
        partial(new_adapter, spec, model), features, settings or spec.recipe.settings, folds
    )
    for fold, (hidden, (right, strength)) in enumerate(zip(folds, scores, strict=True), start=1):
        asked = int(hidden[-1]) + 1  # so far
        before = Score(int(base[:asked].sum()), asked)
        yield HeldBack(fold, len(folds), before, Score(right, asked), strength)
