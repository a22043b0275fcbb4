"""The guarded head: A in closed form, B by logistic regression, tested many times at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.backbones.bank import style_features
from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.lora.adapter import NEW_WORD_LOGIT, Adapter, Lora, pad_logits
from lora_demo.lora.closed_form import Guarded
from lora_demo.lora.logistic import TaughtLogits, train_columns
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec
from lora_demo.lora.strength import Asked, guarded_strength

PICTURES_AT_ONCE = 500  # in trainings that go side by side; more would be a long silence


def make_loras(
    spec: AdapterSpec, model: FrozenModel, outputs: int, features: FeatureSet | None = None
) -> list[Lora]:
    """Work A out from the examples; it stays. Without examples it is zero, to be loaded."""
    [(m, n)] = spec.recipe.shapes(model, outputs)
    a = torch.zeros(m, spec.rank)
    if features is not None:
        every = torch.ones_like(features.labels, dtype=torch.bool)
        directions = _guard(features, model, outputs).directions(every, spec.rank)
        a = F.pad(directions, (0, spec.rank - directions.shape[1]))
    lora = Lora(a, n)
    lora.A.requires_grad_(False)
    return [lora]


def train_epochs(
    adapter: Adapter, features: FeatureSet, shown: Tensor, settings: TrainingSettings
) -> Iterator[float]:
    """Train B as `training.train_epochs` does, but with all pictures at once."""
    responses = adapter.inputs(features) @ adapter.lora.A  # (N, r)
    taught = TaughtLogits.of(adapter.base_logits(features)[shown], features.labels[shown])
    learned, everything = adapter.lora.B.detach(), responses.new_ones(1, len(shown))
    for losses, b in train_columns(taught, responses[shown][None], everything, settings):
        learned[:, taught.classes] = b[0]
        yield losses.item()


@torch.no_grad()
def test_folds(
    make: Callable[[], Adapter],
    features: FeatureSet,
    settings: TrainingSettings,
    folds: Sequence[Tensor],
) -> Iterator[Asked]:
    """Do as `training.test_folds` does, with several trainings at once: they need few logits."""
    adapter = make()
    guarded = _guard(features, adapter.model, len(adapter.categories))
    taught = TaughtLogits.of(adapter.base_logits(features), features.labels)
    base = torch.cat([taught.own, taught.others.amax(1, keepdim=True)], 1)  # (N, k + 1)
    every = torch.arange(len(base), device=base.device)
    at_once = max(1, PICTURES_AT_ONCE // len(base))
    for group in (folds[first : first + at_once] for first in range(0, len(folds), at_once)):
        shown = torch.stack([~torch.isin(every, hidden) for hidden in group])  # (F, N)
        rank = adapter.spec.rank
        responses = torch.stack([guarded.responses(row, rank) for row in shown]).float()
        *_, (_, trained) = train_columns(taught, responses, shown, settings)
        for hidden, x, b in zip(group, responses, trained, strict=True):
            delta = F.pad(x[hidden] @ b, (0, 1))  # the others stay
            yield Asked(base[hidden], delta, taught.labels[hidden])


def find_strength(features: FeatureSet, hidden: Asked | None = None) -> float:
    needed = hidden.recognised_between()[:, 0] if hidden else None
    return guarded_strength(features.pictures_per_class, needed)


def _guard(features: FeatureSet, model: FrozenModel, outputs: int) -> Guarded:
    logits = pad_logits(features.logits, outputs, NEW_WORD_LOGIT)
    return Guarded.of(features, logits, model.head.weight, style_features(model))
