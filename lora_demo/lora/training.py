"""The two loops of a training, both Adam on the cross-entropy: all of A and B, or answers alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import gcd

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam

from lora_demo.backbones.features import FeatureSet
from lora_demo.lora.adapter import Adapter, Lora
from lora_demo.lora.guarded import FIT_STRENGTH
from lora_demo.lora.spec import Placement, TrainingSettings

BATCH_SIZE = 8
PAIRED_RANKS = range(2, 11)


def descend(
    adapter: Adapter, features: FeatureSet, shown: Tensor, settings: TrainingSettings
) -> Iterator[float]:
    """Changes the adapter, in shuffled mini-batches of the pictures `shown`, by index.

    Yields the loss of each epoch: nats, mean over the pictures, each before the step that it took
    part in.
    """
    generator = torch.Generator().manual_seed(adapter.spec.seed)
    x, base_logits = adapter.inputs(features), adapter.base_logits(features)
    labels, delta = features.labels, partial(adapter.delta, strength=1.0)
    at_once = len(shown) <= BATCH_SIZE  # then the order does not count
    if at_once:
        x, base_logits, labels = x[shown], base_logits[shown], labels[shown]
        if adapter.spec.placement is Placement.PIXELS and adapter.spec.rank in PAIRED_RANKS:
            delta = _delta_in_pairs(adapter.lora, x)
    # fused: A, its gradient and both moments pass through memory once instead of ten times
    optimizer = torch.optim.Adam(adapter.parameters(), lr=settings.learning_rate, fused=True)
    for _ in range(settings.epochs):
        total = 0.0
        order = shown[torch.randperm(len(shown), generator=generator).to(shown.device)]
        for batch in [slice(None)] if at_once else order.split(BATCH_SIZE):
            logits = base_logits[batch] + delta(x[batch])
            loss = F.cross_entropy(logits, labels[batch])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()  # here, so that nobody who keeps the adapter keeps gradients
            total += loss.item() * len(logits)
        yield total / len(shown)


def _delta_in_pairs(lora: Lora, x: Tensor) -> Callable[[Tensor], Tensor]:
    """x A B for this x (N, m), with two rows of A as one, and the sum in parts.

    The values are the same but for rounding. Matrix libraries are slow at few columns: training on
    the 150,528 pixels is 1.3 to 2 times quicker so at ranks 2 to 10, and slower at others.
    """
    count, m = x.shape
    parts = gcd(m // 2, 16)
    pairs = x.view(count, parts, -1, 2).permute(1, 0, 3, 2).reshape(parts, 2 * count, -1)

    def delta(_: Tensor) -> Tensor:
        rows = lora.A.view(parts, pairs.shape[2], -1)  # (parts, m / 2 / parts, 2 r)
        both = (pairs @ rows).sum(0).view(count, 2, 2, -1)  # (N, 2, 2, r)
        return (both[:, 0, 0] + both[:, 1, 1]) @ lora.B

    return delta


@dataclass(frozen=True)
class TaughtLogits:
    """The logits of the taught classes, and of all others, which do not move."""

    classes: Tensor  # (k,) the taught ones
    labels: Tensor  # (N,) places among those
    own: Tensor  # (N, k) logits of the taught classes
    others: Tensor  # (N, C) logits, those of the taught classes far below

    @staticmethod
    def of(logits: Tensor, labels: Tensor) -> "TaughtLogits":
        """logits (N, C), labels (N,)."""
        classes, places = labels.unique(return_inverse=True)
        return TaughtLogits(
            classes, places, logits[:, classes], logits.index_fill(1, classes, -1e9)
        )


def descend_answers(
    answers: TaughtLogits, responses: Tensor, shown: Tensor, settings: TrainingSettings
) -> Iterator[tuple[Tensor, Tensor]]:
    """Several trainings at once, of B alone: with a fixed A that is a logistic regression.

    Of training f, x A is responses[f] (F, N, r), and shown[f] (F, N) tells what it learns from: all
    of that at once. Yields the losses before each step, (F,) nats, and B (F, r, k), always the
    same tensor. A class that is not shown keeps zeros.
    """
    base = torch.cat([answers.own, answers.others.logsumexp(1, keepdim=True)], 1)  # (N, k + 1)
    target = F.one_hot(answers.labels, base.shape[1]).float()  # (N, k + 1)
    share = (shown / shown.sum(1, keepdim=True))[:, :, None]  # (F, N, 1)
    taught = (share.transpose(1, 2) @ target > 0).float()  # (F, 1, k + 1): not the others
    weight = -target * share  # (F, N, k + 1)
    x = FIT_STRENGTH * responses
    shown_x = (x * share).transpose(1, 2)  # (F, r, N)
    b = x.new_zeros(len(x), x.shape[2], base.shape[1])  # (F, r, k + 1)
    # without the object round it, whose hooks take twice as long as so small a step
    take_step = partial(
        adam,
        fused=True,
        amsgrad=False,
        maximize=False,
        beta1=0.9,
        beta2=0.999,
        lr=settings.learning_rate,
        weight_decay=0.0,
        eps=1e-8,
    )
    moments, steps = ([torch.zeros_like(b)], [torch.zeros_like(b)], []), [b.new_zeros(())]
    for _ in range(settings.epochs):
        log_p = torch.baddbmm(base, x, b).log_softmax(2)  # (F, N, k + 1)
        gradient = shown_x @ (log_p.exp() - target) * taught
        take_step([b], [gradient], *moments, steps)
        yield (log_p * weight).sum((1, 2)), b[:, :, :-1]


def descend_guarded(
    adapter: Adapter, features: FeatureSet, shown: Tensor, settings: TrainingSettings
) -> Iterator[float]:
    """As `descend`, for the guarded head: all at once, and of B the taught classes' columns."""
    responses = adapter.inputs(features) @ adapter.lora.A  # (N, r), as A stays
    answers = TaughtLogits.of(adapter.base_logits(features)[shown], features.labels[shown])
    learned, everything = adapter.lora.B.detach(), responses.new_ones(1, len(shown))
    for losses, b in descend_answers(answers, responses[shown][None], everything, settings):
        learned[:, answers.classes] = b[0]
        yield losses.item()
