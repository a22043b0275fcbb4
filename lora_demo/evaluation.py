"""What a model answers, without and with an adapter."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lora_demo.adapters import MAX_STRENGTH, Adapter
from lora_demo.backbones import FrozenModel
from lora_demo.errors import LoraDemoError, brief
from lora_demo.features import Features
from lora_demo.images import find_category

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
    model: FrozenModel, features: Features, adapter: Adapter | None = None, strength: float = 1.0
) -> Comparison:
    """One picture, base against base + LoRA. Without an adapter both sides are the base model's."""
    if not (isinstance(strength, (int, float)) and 0 <= strength <= MAX_STRENGTH):  # no NaN, too
        raise LoraDemoError(
            f"strength is {brief(strength)}. Choose a number from 0 to {MAX_STRENGTH:g}."
        )
    if adapter and adapter.spec.model_name != model.name:
        raise LoraDemoError(
            f"This LoRA was trained on {adapter.spec.model_name}; it does not fit {model.name}."
        )
    logits_after = adapter.logits(features, strength) if adapter else features.logits
    before = _rank_all(model, features.logits)
    after = _rank_all(model, logits_after)
    names = adapter.spec.class_names if adapter else ()
    taught = [find_category(name, model.categories) for name in names]
    changes = tuple(Change(_find(before, name), _find(after, name)) for name in taught)
    return Comparison(before[:TOP], after[:TOP], changes)


@dataclass(frozen=True)
class Broken:
    """Of pictures that have nothing to do with the lesson: how many LoRA changed the answer to."""

    changed: int
    captured: int  # of these, how many became a taught class
    total: int


@torch.no_grad()
def count_broken(
    model: FrozenModel, unrelated: Sequence[Features], adapter: Adapter, strength: float = 1.0
) -> Broken:
    """Compares the first answers, one unrelated picture after the other."""
    taught = {find_category(name, model.categories) for name in adapter.spec.class_names}
    changed = captured = 0
    for features in unrelated:
        before = features.logits[0].argmax().item()
        after = adapter.logits(features, strength)[0].argmax().item()
        changed += after != before
        captured += after != before and model.categories[after] in taught
    return Broken(changed, captured, len(unrelated))


def _rank_all(model: FrozenModel, logits: Tensor) -> tuple[Prediction, ...]:
    probabilities, indices = logits[0].softmax(0).sort(descending=True, stable=True)
    answers = zip(probabilities.tolist(), indices.tolist(), strict=True)
    return tuple(
        Prediction(model.categories[index], probability, rank)
        for rank, (probability, index) in enumerate(answers, start=1)
    )


def _find(answers: tuple[Prediction, ...], class_name: str) -> Prediction:
    return next(answer for answer in answers if answer.class_name == class_name)
