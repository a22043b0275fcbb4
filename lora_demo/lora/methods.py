"""How an adapter is made, trained and tested: one row a method, named by the recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from lora_demo.backbones.examples import NO_EXAMPLE
from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import known_words
from lora_demo.errors import LoraDemoError
from lora_demo.lora import guarded, training
from lora_demo.lora.adapter import Adapter, Lora
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec
from lora_demo.lora.strength import Asked


@dataclass(frozen=True)
class Method:
    make_loras: Callable[[AdapterSpec, FrozenModel, int, FeatureSet | None], list[Lora]]
    train_epochs: Callable[[Adapter, FeatureSet, Tensor, TrainingSettings], Iterator[float]]
    test_folds: Callable[
        [Callable[[], Adapter], FeatureSet, TrainingSettings, Sequence[Tensor]], Iterator[Asked]
    ]
    find_strength: Callable[[FeatureSet, Asked | None], float | None]  # None: 1


METHODS = {
    "plain": Method(
        training.make_loras, training.train_epochs, training.test_folds, lambda *_: None
    ),
    "guarded": Method(
        guarded.make_loras, guarded.train_epochs, guarded.test_folds, guarded.find_strength
    ),
}


def method_of(spec: AdapterSpec) -> Method:
    return METHODS[spec.recipe.method]


def new_adapter(
    spec: AdapterSpec, model: FrozenModel, features: FeatureSet | None = None
) -> Adapter:
    """Make an untrained adapter.

    `guarded` makes A, and its first strength, from `features`, the examples; without them A is
    zero, to be loaded. Raises `LoraDemoError` if they cannot be learned from as `spec` asks.
    """
    method, outputs = method_of(spec), len(known_words(spec.class_names, model.categories))
    if features is not None:
        check_examples(features, spec, outputs)
        spec = replace(spec, corrections=int((~features.is_example).sum()))
        if spec.strength is None:
            spec = replace(spec, strength=method.find_strength(features, None))
    return Adapter(spec, model, method.make_loras(spec, model, outputs, features))


def check_examples(features: FeatureSet, spec: AdapterSpec, outputs: int) -> None:
    """Raise `LoraDemoError` if an adapter of so many outputs cannot learn from them."""
    if not features.is_example.any():
        raise LoraDemoError(NO_EXAMPLE)
    if features.labels.max() >= outputs:
        raise LoraDemoError(
            "A picture shows a new word that class_names does not list. Add it to the AdapterSpec."
        )
    if spec.recipe.reads == "pixels" and not features.pixels.numel():
        raise LoraDemoError(
            "These examples were read without their pixels. Read them with read_feature_set."
        )
