"""Train only B, several times side by side: with a fixed A, each is a logistic regression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.lora.recipes import TrainingSettings

FIT_STRENGTH = 0.5  # fitted at less than 1, so that pictures it has not seen are answered, too


@dataclass(frozen=True)
class TaughtLogits:
    """The base logits of the taught classes, and of all others, which do not move."""

    classes: Tensor  # (k,) the taught ones
    labels: Tensor  # (N,) places among those
    own: Tensor  # (N, k) logits of the taught classes
    others: Tensor  # (N, C) logits, those of the taught classes far below

    @staticmethod
    def of(logits: Tensor, labels: Tensor) -> TaughtLogits:
        """logits (N, C), labels (N,)."""
        classes, places = labels.unique(return_inverse=True)
        others = logits.index_fill(1, classes, -1e9)
        return TaughtLogits(classes, places, logits[:, classes], others)


def train_columns(
    taught: TaughtLogits, responses: Tensor, shown: Tensor, settings: TrainingSettings
) -> Iterator[tuple[Tensor, Tensor]]:
    """Run F trainings at once, of only the taught classes' columns of B.

    Of training f, x A is responses[f] (F, N, r), and shown[f] (F, N) tells what it learns from: all
    of that at once. Yields the losses before each step, (F,) nats, and B (F, r, k), always the
    same tensor. A class that is not shown keeps zeros.
    """
    base = torch.cat([taught.own, taught.others.logsumexp(1, keepdim=True)], 1)  # (N, k + 1)
    target = F.one_hot(taught.labels, base.shape[1]).float()  # (N, k + 1)
    share = (shown / shown.sum(1, keepdim=True))[:, :, None]  # (F, N, 1)
    moves = (share.transpose(1, 2) @ target > 0).float()  # (F, 1, k + 1): not the others
    weight = -target * share  # (F, N, k + 1)
    x = FIT_STRENGTH * responses
    shown_x = (x * share).transpose(1, 2)  # (F, r, N)
    b = x.new_zeros(len(x), x.shape[2], base.shape[1])  # (F, r, k + 1)
    optimizer = torch.optim.Adam([b], lr=settings.learning_rate, fused=True)
    for _ in range(settings.epochs):
        log_p = torch.baddbmm(base, x, b).log_softmax(2)  # (F, N, k + 1)
        b.grad = shown_x @ (log_p.exp() - target) * moves
        optimizer.step()
        yield (log_p * weight).sum((1, 2)), b[:, :, :-1]
