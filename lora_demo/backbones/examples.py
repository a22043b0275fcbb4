"""Read pictures and labels into one set of features, with progress."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lora_demo.backbones.duplicates import DuplicateCheck
from lora_demo.backbones.features import (
    NONE_OF_THESE,
    FeatureSet,
    label_features,
    label_index,
    read_features,
)
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import known_words
from lora_demo.errors import ImageError, LoraDemoError, without_traceback
from lora_demo.images.reading import LabelledImage
from lora_demo.limits import MAX_PICTURES

NO_EXAMPLE = "No picture shows what is to be learned. Add some that do."


@dataclass(frozen=True)
class ReadingProgress:
    """How many pictures are read, and which were refused."""

    pictures: int
    pictures_read: int = 0
    refused: tuple[ImageError, ...] = ()
    seconds: float = 0.0
    features: FeatureSet | None = None  # of all that could be read; None until the last progress

    @property
    def seconds_left(self) -> float | None:
        """From the mean pace so far; None before the first picture."""
        seen = self.pictures_read + len(self.refused)
        return self.seconds / seen * (self.pictures - seen) if seen else None


def read_examples(
    model: FrozenModel,
    pictures: Sequence[LabelledImage],
    class_names: Sequence[str] = (),
    with_pixels: bool = True,
) -> Iterator[ReadingProgress]:
    """Read pictures of known classes, of new words among `class_names`, or of none of these.

    They are read one at a time. A bad file, or a copy of an earlier picture, is left out and named
    in `refused`: a copy would count twice, and give away the answer when the other one is hidden.
    The last progress has the `features` of the others, and their pixels only if asked for. Raises
    `LoraDemoError` if nothing is left to learn.
    """
    if not 1 <= len(pictures) <= MAX_PICTURES:
        raise LoraDemoError(
            f"There are {len(pictures):,} pictures to learn from. Add at least 1 and at most "
            f"{MAX_PICTURES:,}; five are a good start."
        )
    started = time.perf_counter()
    features, labels, refused = [], [], []
    words, originals = known_words(class_names, model.categories), DuplicateCheck(len(pictures))
    progress = ReadingProgress(pictures=len(pictures))
    yield progress
    for picture in pictures:
        try:
            read = read_features(model, picture.path, with_pixels)
            label = label_index(picture.label, words)
            originals.add(picture, read.miniature)
            features.append(read)
            labels.append(label)
        except ImageError as error:
            refused.append(without_traceback(error))
        progress = replace(
            progress,
            pictures_read=len(features),
            refused=tuple(refused),
            seconds=time.perf_counter() - started,
        )
        yield progress
    if all(label == NONE_OF_THESE for label in labels):
        reasons = " ".join(str(error) for error in refused[:3])
        if not refused:
            raise LoraDemoError(NO_EXAMPLE)
        raise LoraDemoError(f"None of the pictures to learn from could be used. {reasons}")
    yield replace(progress, features=label_features(features, labels))
