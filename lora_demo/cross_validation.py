"""An honest test with few pictures: each is hidden in turn, and learned from the others alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.adapters import guard, new_adapter
from lora_demo.backbones import FrozenModel
from lora_demo.descent import Answers, descend, descend_answers
from lora_demo.features import FeatureSet
from lora_demo.guard import guarded_strength
from lora_demo.specs import DEFAULT_SETTINGS, AdapterSpec, Placement, TrainingSettings

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
    if len(features.labels) < 2:
        return
    settings = settings or DEFAULT_SETTINGS[spec.placement]
    score = _score_guarded if spec.placement is Placement.GUARDED else _score
    base = features.logits.argmax(1) == features.labels
    folds = _folds(features)
    for fold, (right, strength) in enumerate(score(model, features, spec, settings), start=1):
        hidden = folds[fold - 1][-1].item() + 1  # so far
        before = Score(base[:hidden].sum().item(), hidden)
        yield HeldBack(fold, len(folds), before, Score(right, hidden), strength)


def _folds(features: FeatureSet) -> tuple[Tensor, ...]:
    """Indices of the pictures that are hidden together; neighbours."""
    count = len(features.labels)
    return torch.arange(count).tensor_split(min(count, MAX_FOLDS))


def _score(
    model: FrozenModel, features: FeatureSet, spec: AdapterSpec, settings: TrainingSettings
) -> Iterator[tuple[int, float]]:
    """One training a fold; how many were right so far, and the strength."""
    strength = 1.0 if spec.strength is None else spec.strength
    every, right = torch.arange(len(features.labels)), 0
    for hidden in _folds(features):
        adapter = new_adapter(spec, model)
        for _ in descend(adapter, features, every[~torch.isin(every, hidden)], settings):
            pass
        asked = features.pick(hidden)
        right += (adapter.logits(asked, strength).argmax(1) == asked.labels).sum().item()
        yield right, strength


@torch.no_grad()
def _score_guarded(
    model: FrozenModel, features: FeatureSet, spec: AdapterSpec, settings: TrainingSettings
) -> Iterator[tuple[int, float]]:
    """The same, with all trainings at once: they need but the taught answers of each picture."""
    folds, adapter = _folds(features), new_adapter(spec, model)
    examples = guard(adapter, model, features)
    shown = torch.ones(len(folds), len(features.labels), dtype=torch.bool)
    for row, hidden in zip(shown, folds, strict=True):
        row[hidden] = False
    responses = torch.stack([examples.responses(row, spec.rank) for row in shown]).float()
    answers = Answers(adapter.base_logits(features), features.labels)
    for _, b in descend_answers(answers, responses, shown, settings):
        trained = b
    hidden_in = shown.logical_not().int().argmax(0)  # (N,) the training that did not see it
    delta = (responses @ trained)[hidden_in, torch.arange(len(hidden_in))]  # (N, k)
    delta = F.pad(delta, (0, 1))  # and 0 for the best of all other classes:
    base = torch.cat([answers.own, answers.others.amax(1, keepdim=True)], 1)  # (N, k + 1)
    needed = needed_strengths(base, delta, answers.labels)
    strength = spec.strength
    for hidden in folds:
        so_far = slice(hidden[-1] + 1)
        if spec.strength is None:
            strength = guarded_strength(features.pictures_per_class, needed[so_far].tolist())
        answered = (base[so_far] + strength * delta[so_far]).argmax(1)
        yield (answered == answers.labels[so_far]).sum().item(), strength


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
