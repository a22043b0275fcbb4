"""What a model answers, without and with an adapter."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lora_demo.backbones.features import Features
from lora_demo.backbones.models import FrozenModel
from lora_demo.errors import LoraDemoError
from lora_demo.lora.adapter import Adapter
from lora_demo.lora.spec import check_strength

TOP = 5


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
    """One picture, base against base + LoRA, at the adapter's own strength by default.

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
    """The top-5 of logits (1, C), and where the named classes are."""
    probabilities, order = logits[0].softmax(0).sort(descending=True, stable=True)
    places = [int((order == categories.index(name)).nonzero()) for name in named]

    def at(place: int) -> Prediction:
        return Prediction(categories[order[place]], probabilities[place].item(), place + 1)

    return tuple(map(at, range(TOP))), tuple(map(at, places))
