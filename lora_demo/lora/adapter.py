"""All LoRA maths: the low-rank update, and what it adds to the logits of a frozen model."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora_demo.backbones.features import Features, FeatureSet
from lora_demo.backbones.models import FrozenModel, load_model
from lora_demo.class_names import known_words
from lora_demo.errors import LoraDemoError
from lora_demo.lora.guarded import Guarded, guarded_strength
from lora_demo.lora.spec import AdapterSpec, Placement, lora_shapes

NEW_WORD_LOGIT = -30.0  # so far below any picture's best that the others' probabilities stay


class Lora(nn.Module):
    """A low-rank update of one frozen linear map: delta(x) = x A B.

    A (m, r) normal with standard deviation `a_std`, B (r, n) zero, so a new adapter changes no
    logit. In PEFT's names lora_A.weight = A.T and lora_B.weight = B.T. Hu et al. 2021, section 4.1.
    """

    def __init__(self, m: int, n: int, rank: int, a_std: float, generator: torch.Generator):
        super().__init__()
        self.A = nn.Parameter(torch.randn(m, rank, generator=generator) * a_std)
        self.B = nn.Parameter(torch.zeros(rank, n))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.A) @ self.B  # (N, m) -> (N, n)


class Adapter(nn.Module):
    """`Lora`s at their place on a base model: they add to the logits and never touch the model.

    A class that the base model does not know is one more output: its base logit is -30, so that
    the base model's own probabilities stay as they are, and LoRA alone can raise it.
    """

    def __init__(self, spec: AdapterSpec, model: FrozenModel, loras: list[Lora]):
        super().__init__()
        self.spec = spec
        self.loras = nn.ModuleList(loras).to(model.device)
        self.categories = known_words(spec.class_names, model.categories)
        self._layers = tuple(model.classifier)  # in a tuple they are no part of this module

    def __reduce__(self) -> tuple:
        """For another process it is A and B, without the frozen layers."""
        return _restore, (self.spec, {n: t.cpu() for n, t in self.state_dict().items()})

    @property
    def lora(self) -> Lora:
        """The one that adds to the logits."""
        return self.loras[-1]

    @property
    def strength(self) -> float:
        return 1.0 if self.spec.strength is None else self.spec.strength

    def set_strength(self, strength: float) -> None:
        self.spec = replace(self.spec, strength=strength)

    def inputs(self, features: Features) -> Tensor:
        """What the update reads: (N, m)."""
        others = {Placement.PIXELS: features.pixels, Placement.CLASSIFIER: features.trunk}
        return others.get(self.spec.placement, features.head_input)

    def base_logits(self, features: Features) -> Tensor:
        """The base model's: (N, C), C with the new words."""
        return self._pad(features.logits, NEW_WORD_LOGIT)

    def delta(self, x: Tensor, strength: float) -> Tensor:
        """What it adds to the base logits of inputs x (N, m): (N, C)."""
        if self.spec.placement is not Placement.CLASSIFIER:
            return strength * self.lora(x)
        # `plain` is run again, too: in another batch the last bits differ, and a difference from
        # what is remembered would not be exactly 0 while B is
        loras, plain, changed = iter(self.loras), x, x
        for layer in self._layers[:-1]:
            before = layer(plain)
            after = before if changed is plain else layer(changed)
            if isinstance(layer, nn.Linear):
                after = after + strength * next(loras)(changed)
            plain, changed = before, after
        moved = F.linear(changed - plain, self._layers[-1].weight)  # exactly 0 while B is
        return strength * self.lora(changed) + self._pad(moved, 0.0)

    def logits(self, features: Features, strength: float | None = None) -> Tensor:
        """base logits + delta: (N, C), at its own strength by default.

        At strength 0 they are the base model's, bit for bit.
        """
        strength = self.strength if strength is None else strength
        return self.base_logits(features) + self.delta(self.inputs(features), strength)

    def _pad(self, logits: Tensor, value: float) -> Tensor:
        return F.pad(logits, (0, len(self.categories) - logits.shape[1]), value=value)


def new_adapter(
    spec: AdapterSpec, model: FrozenModel, features: FeatureSet | None = None
) -> Adapter:
    """An untrained adapter; equal seeds give equal numbers, on any device.

    A is standard normal on the pixels, as in the article, and normal with variance 1/m on the
    features, so that x A keeps the size of x. `guarded` makes A, and its first strength, from
    `features`, the examples; without them A is zero, to be loaded.
    """
    generator = torch.Generator().manual_seed(spec.seed)
    outputs = len(known_words(spec.class_names, model.categories))
    loras = [
        Lora(m, n, spec.rank, 1.0 if spec.placement is Placement.PIXELS else m**-0.5, generator)
        for m, n in lora_shapes(spec.placement, model, outputs)
    ]
    adapter = Adapter(spec, model, loras)
    if spec.placement is Placement.GUARDED:
        adapter.lora.A = nn.Parameter(torch.zeros_like(adapter.lora.A), requires_grad=False)
        if features:
            examples = guard_examples(adapter, model, features)
            every = torch.ones_like(features.labels, dtype=torch.bool)
            directions = examples.directions(every, spec.rank)
            adapter.lora.A[:, : directions.shape[1]] = directions
            if spec.strength is None:
                adapter.set_strength(guarded_strength(features.pictures_per_class, []))
    return adapter


def check_examples(features: FeatureSet, spec: AdapterSpec, model: FrozenModel) -> None:
    """Raises `LoraDemoError` where they cannot be learned from as `spec` asks."""
    if features.labels.max() >= len(known_words(spec.class_names, model.categories)):
        raise LoraDemoError(
            "A picture shows a new word that class_names does not list. Add it to the AdapterSpec."
        )
    if spec.placement is Placement.PIXELS and not features.pixels.numel():
        raise LoraDemoError(
            "These examples were read without their pixels. Read them with read_feature_set."
        )


def guard_examples(adapter: Adapter, model: FrozenModel, features: FeatureSet) -> Guarded:
    """The examples as `guarded` learns from them."""
    logits = adapter.base_logits(features)
    return Guarded.of(features.head_input, model.head.weight, logits, features.labels)


def _restore(spec: AdapterSpec, tensors: dict[str, Tensor]) -> Adapter:
    adapter = new_adapter(spec, load_model(spec.model_name))
    adapter.load_state_dict(tensors)
    return adapter
