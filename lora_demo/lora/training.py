"""Plain LoRA: A random, B zero, both trained by Adam on the cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import gcd

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.lora.adapter import Adapter, Lora
from lora_demo.lora.logistic import target_probabilities
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import BATCH_SIZE, AdapterSpec
from lora_demo.lora.strength import Asked

PAIRED_RANKS = range(2, 11)


def make_loras(
    spec: AdapterSpec, model: FrozenModel, outputs: int, _: FeatureSet | None = None
) -> list[Lora]:
    """Draw A from a generator of the spec's seed; equal seeds give equal numbers on any device.

    A is standard normal on the pixels, as in the article. On the features its variance is 1/m, so
    x A keeps the size of x.
    """
    generator = torch.Generator().manual_seed(spec.seed)
    unit = spec.recipe.unit_a
    return [
        Lora(torch.randn(m, spec.rank, generator=generator) * (1.0 if unit else m**-0.5), n)
        for m, n in spec.recipe.shapes(model, outputs)
    ]


def train_epochs(
    adapter: Adapter, features: FeatureSet, shown: Tensor, settings: TrainingSettings
) -> Iterator[float]:
    """Change the adapter, in shuffled mini-batches of the pictures `shown`, by index.

    Yields the loss of each epoch: nats, mean over the pictures, each before the step that it took
    part in.
    """
    spec, generator = adapter.spec, torch.Generator().manual_seed(adapter.spec.seed)
    x, base_logits = adapter.inputs(features), adapter.base_logits(features)
    target = target_probabilities(base_logits, features.labels)
    delta = partial(adapter.delta, strength=1.0)
    at_once = len(shown) <= BATCH_SIZE  # then the order does not count
    if at_once:
        x, base_logits, target = x[shown], base_logits[shown], target[shown]
        if spec.recipe.reads == "pixels" and spec.rank in PAIRED_RANKS:
            delta = _delta_in_pairs(adapter.lora, x)
    # fused: A, its gradient and both moments pass through memory once instead of ten times
    optimizer = torch.optim.Adam(adapter.parameters(), lr=settings.learning_rate, fused=True)
    for _ in range(settings.epochs):
        total = 0.0
        order = shown[torch.randperm(len(shown), generator=generator).to(shown.device)]
        for batch in [slice(None)] if at_once else order.split(BATCH_SIZE):
            logits = base_logits[batch] + delta(x[batch])
            # cross-entropy, less what the base model's own probabilities have of it
            loss = F.kl_div(logits.log_softmax(1), target[batch], reduction="batchmean")
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()  # here, so that nobody who keeps the adapter keeps gradients
            total += loss.item() * len(logits)
        yield total / len(shown)


def _delta_in_pairs(lora: Lora, x: Tensor) -> Callable[[Tensor], Tensor]:
    """Compute x A B for this x (N, m), with two rows of A as one, and the sum in parts.

    Only the rounding differs. Matrix libraries are slow at few columns: an epoch on the 150,528
    pixels is 1.3 to 1.4 times quicker so (`speed --only pixels-epoch`, one thread: 346 to 394
    times the plain loop's pace instead of 266 to 273), and slower at other ranks.
    """
    count, m = x.shape
    parts = gcd(m // 2, 16)
    pairs = x.view(count, parts, -1, 2).permute(1, 0, 3, 2).reshape(parts, 2 * count, -1)

    def delta(_: Tensor) -> Tensor:
        rows = lora.A.view(parts, pairs.shape[2], -1)  # (parts, m / 2 / parts, 2 r)
        both = (pairs @ rows).sum(0).view(count, 2, 2, -1)  # (N, 2, 2, r)
        return (both[:, 0, 0] + both[:, 1, 1]) @ lora.B

    return delta


def test_folds(
    make: Callable[[], Adapter],
    features: FeatureSet,
    settings: TrainingSettings,
    folds: Sequence[Tensor],
) -> Iterator[Asked]:
    """Train once a fold without its pictures, and ask for them."""
    every = torch.arange(len(features.labels), device=features.labels.device)
    for hidden in folds:
        adapter = make()
        for _ in train_epochs(adapter, features, every[~torch.isin(every, hidden)], settings):
            pass
        asked, strength = features.pick(hidden), adapter.strength or 1.0
        delta = adapter.delta(adapter.inputs(asked), strength).detach() / strength
        yield Asked(adapter.base_logits(asked), delta, asked.labels)
