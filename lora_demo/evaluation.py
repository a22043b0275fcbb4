"""What a model answers, without and with an adapter."""

from dataclasses import dataclass

import torch

from lora_demo.adapters import Adapter
from lora_demo.backbones import FrozenModel
from lora_demo.errors import LoraDemoError
from lora_demo.features import Features
from lora_demo.specs import check_strength

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
        before = _rank_all(model.categories, features.logits)
        return Comparison(before[:TOP], before[:TOP], ())
    if strength is not None:
        check_strength(strength)
    if adapter.spec.model_name != model.name:
        raise LoraDemoError(
            f"This LoRA was trained on {adapter.spec.model_name}; it does not fit {model.name}."
        )
    before = _rank_all(adapter.categories, adapter.base_logits(features))
    after = _rank_all(adapter.categories, adapter.logits(features, strength))
    changes = tuple(Change(_find(before, n), _find(after, n)) for n in adapter.spec.class_names)
    return Comparison(before[:TOP], after[:TOP], changes)


def _rank_all(categories: tuple[str, ...], logits: torch.Tensor) -> tuple[Prediction, ...]:
    probabilities, indices = logits[0].softmax(0).sort(descending=True, stable=True)
    answers = zip(probabilities.tolist(), indices.tolist(), strict=True)
    return tuple(
        Prediction(categories[index], probability, rank)
        for rank, (probability, index) in enumerate(answers, start=1)
    )


def _find(answers: tuple[Prediction, ...], class_name: str) -> Prediction:
    return next(answer for answer in answers if answer.class_name == class_name)
