"""The folders of pictures that the recipes are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from lora_demo import FeatureSet, FrozenModel, read_class_folders, read_feature_set, read_features
from lora_demo.backbones.features import NONE_OF_THESE, label_features
from lora_demo.images.folders import picture_files


@dataclass(frozen=True)
class Task:
    """What one folder has to learn from, to correct with and to score."""

    name: str
    examples: FeatureSet
    held_out: FeatureSet
    corrections: FeatureSet | None
    lookalikes: FeatureSet | None

    def has(self, corrections: int) -> bool:
        return corrections <= (0 if self.corrections is None else len(self.corrections.labels))

    def split(self, pictures: int, corrections: int) -> tuple[FeatureSet, FeatureSet]:
        """Return what teaches, and the held-out pictures that are left to score."""
        borrowed = max(pictures - len(self.examples.labels), 0)
        taught = [self.examples.pick(slice(pictures)), self.held_out.pick(slice(borrowed))]
        if self.corrections is not None:
            taught.append(self.corrections.pick(slice(corrections)))
        columns = zip(*(vars(part).values() for part in taught), strict=True)
        return FeatureSet(*map(torch.cat, columns)), self.held_out.pick(slice(borrowed, None))


def read_task(model: FrozenModel, folder: Path) -> Task:
    examples, held_out = (
        read_feature_set(model, read_class_folders(folder / name, model.categories))
        for name in ("train", "held_out")
    )
    corrections, lookalikes = (
        read_others(model, folder / name) if (folder / name).is_dir() else None
        for name in ("not_this", "lookalikes")
    )
    return Task(folder.name, examples, held_out, corrections, lookalikes)


def read_others(model: FrozenModel, folder: Path) -> FeatureSet:
    """Read pictures that show none of the taught classes, always in the same shuffled order.

    By name those of one thing lie side by side, and the first few would be all alike.
    """
    files = picture_files(folder)
    Random(0).shuffle(files)
    features = [read_features(model, file) for file in files]
    return label_features(features, [NONE_OF_THESE] * len(files))
