"""Fitting an adapter: generators of progress. To stop a training, cease to pull."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from lora_demo.backbones.duplicates import DuplicateCheck
from lora_demo.backbones.features import FeatureSet, label_features, read_features
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import find_category, known_words
from lora_demo.errors import DivergedError, ImageError, LoraDemoError, without_traceback
from lora_demo.images.reading import LabelledImage
from lora_demo.limits import MAX_PICTURES
from lora_demo.lora.adapter import Adapter, check_examples, new_adapter
from lora_demo.lora.spec import DEFAULT_SETTINGS, AdapterSpec, Placement, TrainingSettings
from lora_demo.lora.training import descend, descend_guarded

DIVERGED = 2.0  # times the first loss


@dataclass(frozen=True)
class LossPoint:
    epoch: int
    loss: float  # nats, mean over the pictures, each before the step that it took part in
    seconds: float  # since the first epoch began


@dataclass(frozen=True)
class FitProgress:
    """How far a training is. `adapter` is the live one: usable at once, and better at each pull."""

    epochs: int = 0
    points: tuple[LossPoint, ...] = ()
    adapter: Adapter | None = None  # None while pictures are being read
    features: FeatureSet | None = None  # what it learns from
    spec: AdapterSpec | None = None  # as it was asked for, and the settings
    settings: TrainingSettings | None = None
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
    """Read the pictures, then fit: one progress a picture, one an epoch."""
    settings = settings or DEFAULT_SETTINGS[spec.placement]
    progress = FitProgress()
    with_pixels = spec.placement is Placement.PIXELS
    for progress in read_examples(model, pictures, spec.class_names, with_pixels):
        if progress.features is None:
            yield replace(progress, epochs=settings.epochs)
    for fitted in fit(model, progress.features, spec, settings):
        yield replace(
            fitted,
            pictures=progress.pictures,
            pictures_read=progress.pictures_read,
            refused=progress.refused,
        )


def read_examples(
    model: FrozenModel,
    pictures: Sequence[LabelledImage],
    class_names: Sequence[str] = (),
    with_pixels: bool = True,
) -> Iterator[FitProgress]:
    """Pictures of the base model's classes, or of new words among `class_names`, one at a time.

    A bad file, or a copy of an earlier picture, is left out and named in `refused`: a copy would
    count twice, and give away the answer when the other one is hidden. The last progress has the
    `features` of the others, their pixels only where they are asked for. Raises `LoraDemoError`
    where none is left.
    """
    if not 1 <= len(pictures) <= MAX_PICTURES:
        raise LoraDemoError(
            f"There are {len(pictures):,} pictures to learn from. Add at least 1 and at most "
            f"{MAX_PICTURES:,}; five are a good start."
        )
    started = time.perf_counter()
    features, labels, refused = [], [], []
    words, originals = known_words(class_names, model.categories), DuplicateCheck(len(pictures))
    progress = FitProgress(pictures=len(pictures))
    yield progress
    for picture in pictures:
        try:
            read = read_features(model, picture.path, with_pixels)
            label = words.index(find_category(picture.label, words))
            originals.add(picture, read.miniature)
            features.append(read)
            labels.append(label)
        except ImageError as error:
            refused.append(without_traceback(error))
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
    yield replace(progress, features=label_features(features, labels))


def fit(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    settings: TrainingSettings | None = None,
) -> Iterator[FitProgress]:
    """Adam on the cross-entropy, shuffled mini-batches (`guarded`: all at once); one progress an
    epoch.

    The trunk is not run: what it contributes stands in `features`; `classifier` alone runs the
    linear layers. `settings` are by default the placement's own. Raises `LoraDemoError` where a
    label is neither the base model's nor one of `spec.class_names`, or where pixels are missing;
    `DivergedError` where the loss overflows, or is in the end twice what it was in the beginning.
    """
    own = DEFAULT_SETTINGS[spec.placement]
    settings = settings or own
    check_examples(features, spec, model)
    adapter = new_adapter(spec, model, features)
    guarded = spec.placement is Placement.GUARDED
    every = torch.arange(len(features.labels), device=features.labels.device)
    losses = (descend_guarded if guarded else descend)(adapter, features, every, settings)
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
        yield FitProgress(settings.epochs, points, adapter, features, spec, settings)
