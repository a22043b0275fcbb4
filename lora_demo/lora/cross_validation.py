"""An honest test with few pictures: each is hidden in turn while the others are learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lora_demo.backbones.features import NONE_OF_THESE, FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import known_words
from lora_demo.lora.methods import check_examples, method_of, new_adapter
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec
from lora_demo.lora.strength import Asked

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
    left_alone: Score  # of hidden pictures of none of these, those whose answer stays
    between: tuple[tuple[float, float], ...]  # strengths from and to which each is recognised

    def recognised(self, strength: float) -> Score:
        """Say how many would be recognised at another strength."""
        right = sum(first <= strength < last for first, last in self.between)
        return Score(right, len(self.between))


def leave_one_out(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[HeldBack]:
    """Train again without each picture, and ask for the hidden ones; yield one result a fold.

    An example and a correction are hidden together. The trunk is not run. A single example cannot
    be hidden; without corrections there is no result then. Raises `LoraDemoError` as `fit` does.
    """
    check_examples(features, spec, len(known_words(spec.class_names, model.categories)))
    features = features.with_corrections(spec.corrections)
    folds = _folds(features.is_example)
    is_right = features.logits.argmax(1) == features.labels
    method, settings = method_of(spec), settings or spec.recipe.settings
    tests = method.test_folds(partial(new_adapter, spec, model), features, settings, folds)
    so_far: list[Asked] = []
    base = 0
    for hidden, test in zip(folds, tests, strict=True):
        so_far.append(test)
        asked = Asked.join(so_far)
        strength = spec.strength
        if strength is None:
            strength = method.find_strength(features, asked) or 1.0
        others = int((asked.labels == NONE_OF_THESE).sum())
        examples = len(asked.labels) - others
        base += int(is_right[hidden].sum())
        yield HeldBack(
            len(so_far),
            len(folds),
            Score(base, examples),
            Score(asked.right(strength), examples),
            strength,
            Score(asked.left_alone(strength), others),
            tuple((first, last) for first, last in asked.recognised_between().tolist()),
        )


def _folds(is_example: Tensor) -> list[Tensor]:
    """Say which pictures are hidden together, by index: neighbours, of both kinds."""
    examples, others = (mask.nonzero()[:, 0] for mask in (is_example, ~is_example))
    if len(examples) < 2:
        examples = examples[:0]
    count = min(max(len(examples), len(others)), MAX_FOLDS)
    if not count:
        return []
    pairs = zip(examples.tensor_split(count), others.tensor_split(count), strict=True)
    return [torch.cat(pair) for pair in pairs]
