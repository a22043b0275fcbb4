"""Train only B, several times side by side: with a fixed A, each is a logistic regression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.backbones.features import NONE_OF_THESE
from lora_demo.lora.recipes import TrainingSettings

FIT_STRENGTH = 0.5  # fitted at less than 1, so that pictures it has not seen are answered, too


@dataclass(frozen=True)
class TaughtLogits:
    """The base logits of the taught classes, and of all others, which do not move."""

    classes: Tensor  # (k,) the taught ones
    labels: Tensor  # (N,) places among those, or NONE_OF_THESE
    own: Tensor  # (N, k) logits of the taught classes
    others: Tensor  # (N, C) logits, those of the taught classes far below

    @staticmethod
    def of(logits: Tensor, labels: Tensor) -> TaughtLogits:
        """logits (N, C), labels (N,)."""
        taught = labels != NONE_OF_THESE
        classes, places = labels[taught].unique(return_inverse=True)
        others = logits.index_fill(1, classes, -1e9)
        places = labels.masked_scatter(taught, places)
        return TaughtLogits(classes, places, logits[:, classes], others)

    @property
    def base(self) -> Tensor:
        """All others as one: (N, k + 1) logits."""
        return torch.cat([self.own, self.others.logsumexp(1, keepdim=True)], 1)


def target_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Return what is to be answered: the label, and for none of these what the base model says.

    Base logits (N, C), labels (N,) -> (N, C)
    """
    none = (labels == NONE_OF_THESE)[:, None]
    label = F.one_hot(labels.clamp(min=0), logits.shape[1]).to(logits.dtype)
    return torch.where(none, logits.softmax(1), label)


def train_columns(
    taught: TaughtLogits, responses: Tensor, shown: Tensor, settings: TrainingSettings
) -> Iterator[tuple[Tensor, Tensor]]:
    """Run F trainings at once, of only the taught classes' columns of B.

    Of training f, x A is responses[f] (F, N, r), and shown[f] (F, N) tells what it learns from: all
    of that at once. Yields the losses before each step, (F,) nats, and B (F, r, k), always the
    same tensor. A class that is not shown keeps zeros. Each class weighs the same, however many
    pictures it has; corrections are fitted at full strength, and weigh as much as all classes.
    """
    base = taught.base
    target = target_probabilities(base, taught.labels)  # (N, k + 1)
    none = taught.labels == NONE_OF_THESE
    others = base.shape[1] - 1
    group = F.one_hot(taught.labels.where(~none, others), others + 1).float()  # (N, k + 1)
    count = shown.float() @ group  # (F, k + 1) pictures
    moves = (count > 0).float()  # (F, k + 1)
    share = moves / count.clamp(min=1)
    share[:, :-1] /= moves[:, :-1].sum(1, keepdim=True)
    share = (share @ group.T * shown)[:, :, None]  # (F, N, 1)
    moves[:, -1] = 0  # the others' logits stay
    weight = -target * share  # (F, N, k + 1)
    least = (torch.special.entr(target) * share).sum((1, 2))  # (F,) nats, if all is right
    x = responses * torch.where(none, 1.0, FIT_STRENGTH)[:, None]
    shown_x = (x * share).transpose(1, 2)  # (F, r, N)
    b = x.new_zeros(len(x), x.shape[2], base.shape[1])  # (F, r, k + 1)
    optimizer = torch.optim.Adam([b], lr=settings.learning_rate, fused=True)
    for _ in range(settings.epochs):
        log_p = torch.baddbmm(base, x, b).log_softmax(2)  # (F, N, k + 1)
        b.grad = shown_x @ (log_p.exp() - target) * moves[:, None]
        optimizer.step()
        yield (log_p * weight).sum((1, 2)) - least, b[:, :, :-1]
