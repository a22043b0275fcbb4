"""The low-rank update, and what it adds to the logits of a frozen model."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora_demo.backbones.features import Features
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import known_words
from lora_demo.lora.spec import AdapterSpec

NEW_WORD_LOGIT = -30.0  # so far below any picture's best that the others' probabilities stay


class Lora(nn.Module):
    """A low-rank update of one frozen linear map: delta(x) = x A B.

    A (m, r) is given, B (r, n) zero, so a new adapter changes no logit. In PEFT's names
    lora_A.weight = A.T and lora_B.weight = B.T. Hu et al. 2021, section 4.1.
    """

    def __init__(self, a: Tensor, n: int):
        super().__init__()
        rank = a.shape[1]
        self.A = nn.Parameter(a)
        self.B = nn.Parameter(torch.zeros(rank, n))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.A) @ self.B  # (N, m) -> (N, n)


class Adapter(nn.Module):
    """`Lora`s at their place on a base model: they add to the logits and never touch the model.

    A class that the base model does not know is one more output. Its base logit is -30, so the
    base model's own probabilities stay as they are, and only LoRA can raise it.
    """

    def __init__(self, spec: AdapterSpec, model: FrozenModel, loras: list[Lora]):
        super().__init__()
        self.spec = spec
        self.model = model  # no nn.Module, so its weights are no part of this module
        self.loras = nn.ModuleList(loras).to(model.device)
        self.categories = known_words(spec.class_names, model.categories)

    def __reduce__(self) -> tuple:
        """Travel to another process as A and B, on the CPU; the model goes as its name."""
        return Adapter, (self.spec, self.model, list(deepcopy(self.loras).cpu()))

    @property
    def lora(self) -> Lora:
        """The one that adds to the logits."""
        return cast(Lora, self.loras[-1])

    @property
    def strength(self) -> float:
        return 1.0 if self.spec.strength is None else self.spec.strength

    def at_strength(self, strength: float) -> Adapter:
        """Return an adapter of the same A and B that answers at another strength."""
        loras = cast("list[Lora]", list(self.loras))
        return Adapter(replace(self.spec, strength=strength), self.model, loras)

    def inputs(self, features: Features) -> Tensor:
        """Return what the update reads: (N, m)."""
        return getattr(features, self.spec.recipe.reads)

    def base_logits(self, features: Features) -> Tensor:
        """Return the base model's logits: (N, C), C with the new words."""
        return pad_logits(features.logits, len(self.categories), NEW_WORD_LOGIT)

    def delta(self, x: Tensor, strength: float) -> Tensor:
        """Return what is added to the base logits of inputs x (N, m): (N, C)."""
        if len(self.loras) == 1:
            return strength * self.lora(x)
        # `plain` is run again, too: in another batch the last bits differ, and a difference from
        # what is remembered would not be exactly 0 while B is
        loras, plain, changed = iter(self.loras), x, x
        for layer in list(self.model.classifier)[:-1]:
            before = layer(plain)
            after = before if changed is plain else layer(changed)
            if isinstance(layer, nn.Linear):
                after = after + strength * next(loras)(changed)
            plain, changed = before, after
        moved = F.linear(changed - plain, self.model.head.weight)  # exactly 0 while B is
        return strength * self.lora(changed) + pad_logits(moved, len(self.categories), 0.0)

    def logits(self, features: Features, strength: float | None = None) -> Tensor:
        """base logits + delta: (N, C), by default at its own strength.

        At strength 0 they are the base model's, bit for bit.
        """
        strength = self.strength if strength is None else strength
        return self.base_logits(features) + self.delta(self.inputs(features), strength)


def pad_logits(logits: Tensor, outputs: int, value: float) -> Tensor:
    """Give the new words, the last of the outputs, the same logit: (N, 1000) -> (N, C)."""
    return F.pad(logits, (0, outputs - logits.shape[1]), value=value)
