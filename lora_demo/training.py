"""Fitting an adapter: generators of progress. To stop a training, cease to pull."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from lora_demo.adapters import Adapter, AdapterSpec, Placement, new_adapter
from lora_demo.backbones import FrozenModel
from lora_demo.errors import ImageError, LoraDemoError, brief
from lora_demo.features import FeatureSet, label_features, read_features
from lora_demo.images import MAX_PICTURES, LabelledImage

MAX_EPOCHS = 1000
MAX_LEARNING_RATE = 1.0
BATCH_SIZE = 8


@dataclass(frozen=True)
class TrainingSettings:
    epochs: int = 100
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if not (type(self.epochs) is int and 1 <= self.epochs <= MAX_EPOCHS):
            raise LoraDemoError(
                f"epochs is {brief(self.epochs)}. Choose a whole number from 1 to {MAX_EPOCHS:,}."
            )
        number = isinstance(self.learning_rate, (int, float))
        if not (number and 0 < self.learning_rate <= MAX_LEARNING_RATE):  # refuses NaN, too
            raise LoraDemoError(
                f"learning_rate is {brief(self.learning_rate)}. Choose a number above 0, at most "
                f"{MAX_LEARNING_RATE:g}; 0.001 is a good start."
            )


DEFAULT_SETTINGS = {
    Placement.PIXELS: TrainingSettings(),
    Placement.HEAD: TrainingSettings(),
    Placement.GUARDED: TrainingSettings(150, 0.1),
}


@dataclass(frozen=True)
class LossPoint:
    epoch: int
    loss: float  # nats, mean over the pictures, each before the step that it took part in
    seconds: float  # since the first epoch began


@dataclass(frozen=True)
class FitProgress:
    """How far a training is. `adapter` is the live one: usable at once, and better at each pull."""

    epochs: int
    points: tuple[LossPoint, ...] = ()
    adapter: Adapter | None = None  # None while pictures are being read
    features: FeatureSet | None = None  # what it learns from
    pictures: int = 0
    pictures_read: int = 0
    refused: tuple[ImageError, ...] = ()
    reading_seconds: float = 0.0

    @property
    def done(self) -> bool:
        return len(self.points) == self.epochs

    @property
    def seconds_left(self) -> float | None:
        """Of the stage that is under way, from its mean pace so far; None before the first step."""
        if self.adapter:
            return self.points[-1].seconds / len(self.points) * (self.epochs - len(self.points))
        seen = self.pictures_read + len(self.refused)
        return self.reading_seconds / seen * (self.pictures - seen) if seen else None


def train(
    model: FrozenModel,
    pictures: Sequence[LabelledImage],
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[FitProgress]:
    """Read the pictures, then fit: one progress a picture, one an epoch.

    A bad file is left out and named in `refused`. Raises `LoraDemoError` where none is left.
    """
    if not 1 <= len(pictures) <= MAX_PICTURES:
        raise LoraDemoError(
            f"There are {len(pictures):,} pictures to learn from. Add at least 1 and at most "
            f"{MAX_PICTURES:,}; five are a good start."
        )
    settings = settings or DEFAULT_SETTINGS[spec.placement]
    started = time.perf_counter()
    features, labels, refused = [], [], []
    progress = FitProgress(settings.epochs, pictures=len(pictures))
    yield progress
    for picture in pictures:
        try:
            features.append(read_features(model, picture.path))
            labels.append(model.category_index(picture.label))
        except ImageError as error:
            refused.append(error)
        progress = replace(
            progress,
            pictures_read=len(features),
            refused=tuple(refused),
            reading_seconds=time.perf_counter() - started,
        )
        yield progress
    if not features:
        reasons = " ".join(str(error) for error in refused[:3])
        raise LoraDemoError(f"None of the pictures could be used. {reasons}")
    for fitted in fit(model, label_features(features, labels), spec, settings):
        yield replace(
            progress, points=fitted.points, adapter=fitted.adapter, features=fitted.features
        )


def fit(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[FitProgress]:
    """Adam on the cross-entropy, shuffled mini-batches; one progress an epoch.

    The frozen network is not run: everything it contributes stands in `features`. `settings` are
    by default the placement's own.
    """
    generator = torch.Generator().manual_seed(spec.seed)
    settings = settings or DEFAULT_SETTINGS[spec.placement]
    adapter = new_adapter(spec, model, features)
    x = adapter.inputs(features)
    # fused: A, its gradient and both moments pass through memory once instead of ten times
    optimizer = torch.optim.Adam(adapter.parameters(), lr=settings.learning_rate, fused=True)
    points: tuple[LossPoint, ...] = ()
    started = time.perf_counter()
    for epoch in range(1, settings.epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).split(BATCH_SIZE):
            delta = adapter.lora(x[batch])  # (batch, C)
            logits = features.logits[batch] + adapter.fit_strength * delta
            loss = F.cross_entropy(logits, features.labels[batch])
            loss.backward()
            adapter.lora.B.grad *= adapter.trained_columns
            optimizer.step()
            optimizer.zero_grad()  # here, so that nobody who keeps the adapter keeps gradients
            total += loss.item() * len(batch)
        points += (LossPoint(epoch, total / len(x), time.perf_counter() - started),)
        yield FitProgress(settings.epochs, points, adapter, features)
