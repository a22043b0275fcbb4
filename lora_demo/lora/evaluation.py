"""What a model answers without and with an adapter, and what the adapter broke."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch.nn import functional as F

from lora_demo.backbones.features import Features
from lora_demo.backbones.models import FrozenModel
from lora_demo.errors import LoraDemoError
from lora_demo.lora.adapter import Adapter
from lora_demo.lora.spec import check_strength

TOP = 5
CERTAIN = 0.99


@dataclass(frozen=True)
class Prediction:
    class_name: str
    probability: float  # 0..1
    rank: int  # 1 is the model's first answer


@dataclass(frozen=True)
class Change:
    """One taught class, before and after."""

    before: Prediction
    after: Prediction


@dataclass(frozen=True)
class Comparison:
    """The top-5 of the base model and of base + LoRA, and where the taught classes went."""

    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]
    taught: tuple[Change, ...]


@torch.no_grad()
def compare(
    model: FrozenModel,
    features: Features,
    adapter: Adapter | None = None,
    strength: float | None = None,
) -> Comparison:
    """Compare base and base + LoRA on one picture, by default at the adapter's own strength.

    Without an adapter both sides are the base model's.
    """
    if adapter is None:
        before, _ = _rank(model.categories, features.logits)
        return Comparison(before, before, ())
    if strength is not None:
        check_strength(strength)
    if adapter.spec.model_name != model.name:
        raise LoraDemoError(
            f"This LoRA was trained on {adapter.spec.model_name}; it does not fit {model.name}."
        )
    taught = adapter.spec.class_names
    before, taught_before = _rank(adapter.categories, adapter.base_logits(features), taught)
    after, taught_after = _rank(adapter.categories, adapter.logits(features, strength), taught)
    return Comparison(before, after, tuple(map(Change, taught_before, taught_after)))


def _rank(
    categories: tuple[str, ...], logits: torch.Tensor, named: Sequence[str] = ()
) -> tuple[tuple[Prediction, ...], tuple[Prediction, ...]]:
    """Return the top-5 of logits (1, C), and the places of the named classes."""
    probabilities, order = logits[0].softmax(0).sort(descending=True, stable=True)
    places = [int((order == categories.index(name)).nonzero()) for name in named]

    def at(place: int) -> Prediction:
        return Prediction(categories[order[place]], probabilities[place].item(), place + 1)

    return tuple(map(at, range(TOP))), tuple(map(at, places))


@dataclass(frozen=True)
class Changed:
    """An answer that LoRA changed."""

    index: int  # of the picture or class, from 0
    before: str  # class names
    after: str


@dataclass(frozen=True)
class Broken:
    """Of `total` answers that should have stayed, those that changed."""

    changes: tuple[Changed, ...]
    captured: int  # of these, how many became a taught class
    total: int

    @property
    def changed(self) -> int:
        return len(self.changes)


@torch.no_grad()
def count_broken(
    unrelated: Iterable[Features], adapter: Adapter, strength: float | None = None
) -> Broken:
    """Compare the first answers, by default at the adapter's own strength."""
    changes: list[Changed] = []
    total = 0
    for features in unrelated:
        before = adapter.base_logits(features).argmax(1)  # (N,)
        after = adapter.logits(features, strength).argmax(1)
        for row in (before != after).nonzero()[:, 0].tolist():
            names = (adapter.categories[answers[row]] for answers in (before, after))
            changes.append(Changed(total + row, *names))
        total += len(before)
    captured = sum(change.after in adapter.spec.class_names for change in changes)
    return Broken(tuple(changes), captured, total)


@cache
@torch.no_grad()
def class_prototypes(model: FrozenModel) -> Features:
    """Make features that the head recognises with certainty, one row a class, without pictures.

    A class's own part is its row of relu(W), at length 1. To it comes half as much of what all
    classes share, the direction of their mean: photographs have 0.56 times as much of it as of
    their class's row (EfficientNet-Lite0, 250 photographs), and through it a LoRA captures them.
    All are lengthened, by tenths, until each gets its own class with a probability of 0.99. They
    have no pixels: only for recipes that read the head's input.
    """
    rows = model.head.weight.relu()  # (C, D)
    shared = F.normalize(rows.mean(0), dim=0)
    head_input = F.normalize(rows, dim=1) + 0.5 * shared
    answers, length = head_input @ model.head.weight.T, 1.0
    while ((length * answers + model.head.bias).softmax(1).diagonal() < CERTAIN).any():
        length *= 1.1
    head_input *= length
    nothing = rows.new_empty(len(rows), 0)
    return Features(nothing, nothing, head_input, model.head(head_input), nothing)


def count_classes_broken(
    model: FrozenModel, adapter: Adapter, strength: float | None = None
) -> Broken | None:
    """Count broken prototypes; None if the adapter does not read the head's input."""
    if adapter.spec.recipe.reads != "head_input":
        return None
    return count_broken([class_prototypes(model)], adapter, strength)
