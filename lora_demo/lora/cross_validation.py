"""An honest test with few pictures: each is hidden in turn, and learned from the others alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.lora.adapter import check_examples, guard_examples, new_adapter
from lora_demo.lora.guarded import guarded_strength
from lora_demo.lora.spec import DEFAULT_SETTINGS, AdapterSpec, Placement, TrainingSettings
from lora_demo.lora.training import TaughtLogits, descend, descend_answers

MAX_FOLDS = 12  # with more pictures several are hidden at once
PICTURES_AT_ONCE = 500  # in trainings that go side by side; more would be a long silence


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

    The trunk is not run. Of one picture nothing can be hidden: no result. Raises `LoraDemoError` as
    `fit` does.
    """
    count = len(features.labels)
    if count < 2:
        return
    check_examples(features, spec, model)
    settings = settings or DEFAULT_SETTINGS[spec.placement]
    score = _score_guarded if spec.placement is Placement.GUARDED else _score
    base = features.logits.argmax(1) == features.labels
    steps = score(model, features, spec, settings)
    for fold, (hidden, right, strength) in enumerate(steps, start=1):
        asked = hidden[-1].item() + 1  # so far
        before = Score(base[:asked].sum().item(), asked)
        yield HeldBack(fold, min(count, MAX_FOLDS), before, Score(right, asked), strength)


def _folds(features: FeatureSet) -> tuple[Tensor, ...]:
    """Indices of the pictures that are hidden together; neighbours."""
    count = len(features.labels)
    every = torch.arange(count, device=features.labels.device)
    return every.tensor_split(min(count, MAX_FOLDS))


def _score(
    model: FrozenModel, features: FeatureSet, spec: AdapterSpec, settings: TrainingSettings
) -> Iterator[tuple[Tensor, int, float]]:
    """One training a fold: what was hidden, how many were right so far, and the strength."""
    strength = 1.0 if spec.strength is None else spec.strength
    folds, right = _folds(features), 0
    every = torch.cat(folds)
    for hidden in folds:
        adapter = new_adapter(spec, model)
        for _ in descend(adapter, features, every[~torch.isin(every, hidden)], settings):
            pass
        asked = features.pick(hidden)
        right += (adapter.logits(asked, strength).argmax(1) == asked.labels).sum().item()
        yield hidden, right, strength


@torch.no_grad()
def _score_guarded(
    model: FrozenModel, features: FeatureSet, spec: AdapterSpec, settings: TrainingSettings
) -> Iterator[tuple[Tensor, int, float]]:
    """The same, with several trainings at once: they need but the taught answers."""
    folds, adapter = _folds(features), new_adapter(spec, model)
    examples = guard_examples(adapter, model, features)
    answers = TaughtLogits.of(adapter.base_logits(features), features.labels)
    base = torch.cat([answers.own, answers.others.amax(1, keepdim=True)], 1)  # (N, k + 1)
    delta = torch.zeros_like(base)  # the others stay
    every, strength = torch.cat(folds), spec.strength
    at_once = max(1, PICTURES_AT_ONCE // len(base))
    for group in (folds[first : first + at_once] for first in range(0, len(folds), at_once)):
        shown = torch.stack([~torch.isin(every, hidden) for hidden in group])  # (F, N)
        responses = torch.stack([examples.responses(row, spec.rank) for row in shown]).float()
        *_, (_, trained) = descend_answers(answers, responses, shown, settings)
        for hidden, x, b in zip(group, responses, trained, strict=True):
            delta[hidden, :-1] = x[hidden] @ b
            asked = slice(hidden[-1] + 1)  # so far
            so_far = base[asked], delta[asked], answers.labels[asked]
            if spec.strength is None:
                needed = needed_strengths(*so_far).tolist()
                strength = guarded_strength(features.pictures_per_class, needed)
            answered = (so_far[0] + strength * so_far[1]).argmax(1)
            yield hidden, (answered == so_far[2]).sum().item(), strength


@torch.no_grad()
def needed_strengths(base: Tensor, delta: Tensor, labels: Tensor) -> Tensor:
    """The least strength at which each picture gets its own label: (N,), infinite where none does.

    base (N, C) and delta (N, C) at strength 1 are logits. They are linear in the strength, so that
    at (L_c - L_y) / (delta_y - delta_c) the label y overtakes class c, or is overtaken where c
    gains more; `classifier` alone is not of that kind.
    """
    own = labels[:, None]
    behind = base - base.gather(1, own)
    gain = delta.gather(1, own) - delta
    overtakes = torch.where(gain > 0, behind / gain, torch.inf)
    lower = torch.where(behind > 0, overtakes, 0.0).amax(1)
    upper = torch.where(gain < 0, behind / gain, torch.inf).amin(1)
    return lower.masked_fill(lower >= upper, torch.inf)
