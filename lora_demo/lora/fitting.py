"""A training as a generator of progress. To stop it, cease to pull."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lora_demo.backbones.examples import ReadingProgress, read_examples
from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.errors import DivergedError
from lora_demo.images.reading import LabelledImage
from lora_demo.lora.adapter import Adapter
from lora_demo.lora.methods import method_of, new_adapter
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec

DIVERGED = 2.0  # times the first loss


@dataclass(frozen=True)
class LossPoint:
    epoch: int
    loss: float  # nats, as the recipe weighs pictures, each before the step that it took part in
    seconds: float  # since the first epoch began


@dataclass(frozen=True)
class FitProgress:
    """How far a training is. `adapter` is the live one: usable at once, and better at each pull."""

    adapter: Adapter
    points: tuple[LossPoint, ...]  # one an epoch
    spec: AdapterSpec  # as it was asked for, and the settings
    settings: TrainingSettings

    @property
    def done(self) -> bool:
        return len(self.points) == self.settings.epochs

    @property
    def seconds_left(self) -> float:
        """From the mean pace so far."""
        pace = self.points[-1].seconds / len(self.points)
        return pace * (self.settings.epochs - len(self.points))


def train(
    model: FrozenModel,
    pictures: Sequence[LabelledImage],
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[ReadingProgress | FitProgress]:
    """Read the pictures, then fit: one progress a picture, one an epoch."""
    with_pixels = spec.recipe.reads == "pixels"
    for reading in read_examples(model, pictures, spec.class_names, with_pixels):
        yield reading
    assert reading.features  # the last progress has them
    yield from fit(model, reading.features, spec, settings)


def fit(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[FitProgress]:
    """Train an adapter; yield one progress an epoch.

    The trunk is not run: what it contributes is in `features`. Only `classifier` runs the linear
    layers. `settings` are by default the recipe's own. Raises `LoraDemoError` if a
    label is neither the base model's nor one of `spec.class_names`, or if pixels are missing;
    `DivergedError` if the loss overflows, or is in the end twice what it was at first.
    """
    own = spec.recipe.settings
    settings = settings or own
    features = features.with_corrections(spec.corrections)
    adapter = new_adapter(spec, model, features)
    every = torch.arange(len(features.labels), device=features.labels.device)
    losses = method_of(spec).train_epochs(adapter, features, every, settings)
    points: tuple[LossPoint, ...] = ()
    started = time.perf_counter()
    for epoch, loss in enumerate(losses, start=1):
        points += (LossPoint(epoch, loss, time.perf_counter() - started),)
        at_end = epoch == settings.epochs
        if not math.isfinite(loss) or (at_end and loss > DIVERGED * points[0].loss):
            raise DivergedError(
                f"The training ran away: in {epoch:,} rounds the mistake (loss) went from "
                f"{points[0].loss:.2f} to {loss:.4g}. Choose a smaller step size (learning rate) "
                f"than {settings.learning_rate:g}: {own.learning_rate:g} is a good start. This "
                "training is thrown away."
            )
        yield FitProgress(adapter, points, spec, settings)
