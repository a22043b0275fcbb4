"""Read a picture's features from the frozen network: computed once, then remembered."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import torch
from cachetools import LRUCache
from torch import Tensor
from torch.backends import cudnn

from lora_demo.backbones.duplicates import miniature
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import find_category
from lora_demo.images.reading import LabelledImage, decode_image, read_image_bytes

FEATURE_BYTES = 128 * 2**20  # remembered: the largest set of pictures, on any base model
PIXEL_BYTES = 64 * 2**20  # about 100 pictures: decoding them again is quicker than the trunk
NONE_OF_THESE = -1  # the label of a picture that shows none of the taught classes
_Key = tuple[FrozenModel, bytes]  # the network, and the SHA-256 of the picture's file


@dataclass(frozen=True)
class Features:
    """One picture or more as the frozen network sees them, on its device."""

    pixels: Tensor  # (N, 3 * input_px * input_px) normalised; (N, 0) if nobody reads them
    trunk: Tensor  # (N, T) what leaves the trunk
    head_input: Tensor  # (N, D) what goes into the last linear layer
    logits: Tensor  # (N, C) the base model's own
    miniature: Tensor  # (N, M) what tells copies from other pictures; nobody learns from it

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in vars(self).values())


@dataclass(frozen=True)
class FeatureSet(Features):
    """Pictures to learn from: features and the class that each picture shows.

    Those of none of the taught classes are corrections: there the base model's answer is right.
    """

    labels: Tensor  # (N,) class indices, int64, or NONE_OF_THESE

    @property
    def is_example(self) -> Tensor:
        """Whether a picture shows a class that is taught: (N,)."""
        return self.labels != NONE_OF_THESE

    @property
    def pictures_per_class(self) -> float:
        examples = self.labels[self.is_example]
        return len(examples) / len(examples.unique())

    def with_corrections(self, count: int | None) -> "FeatureSet":
        """Keep all examples, and the first `count` corrections; None keeps all."""
        if count is None:
            return self
        kept = self.is_example | ((~self.is_example).cumsum(0) <= count)
        return self if kept.all() else self.pick(kept)

    def pick(self, chosen: Tensor | slice) -> "FeatureSet":
        """Take some of the pictures, by index, mask or slice."""
        return FeatureSet(**{name: tensor[chosen] for name, tensor in vars(self).items()})


def read_features(model: FrozenModel, path: Path | str, with_pixels: bool = True) -> Features:
    """Run one picture file through the trunk, or recall what it gave before.

    Pictures go through one at a time: a larger batch changes the last bits of the sums, so that a
    result would depend on the pictures beside it. The pixels take most of the memory, and only
    `Placement.PIXELS` reads them. Raises `ImageError`.
    """
    path = Path(path)
    data = read_image_bytes(path)
    key = (model, hashlib.sha256(data).digest())
    with _memory:
        features, pixels = _features.get(key), _pixels.get(key)
    if features is None or (with_pixels and pixels is None):
        x = model.preprocess(decode_image(data, path.name))[None].to(model.device)
        features, pixels = _compute_once(key, x), x.flatten(1)
        if with_pixels:
            with _memory:
                _pixels[key] = pixels
    return replace(features, pixels=pixels) if with_pixels else features


def forget_features(paths: Iterable[Path]) -> Iterator[Path]:
    """Drop from memory all that came from these picture files; yield each when it is forgotten."""
    for path in paths:
        with suppress(OSError):
            digest = hashlib.sha256(path.read_bytes()).digest()
            with _memory:
                for remembered in (_features, _pixels):
                    for key in [key for key in remembered if key[1] == digest]:
                        del remembered[key]
            yield path


def read_feature_set(model: FrozenModel, pictures: Iterable[LabelledImage]) -> FeatureSet:
    """Read pictures of known classes into one set (`train` also takes new words).

    Raises `ImageError` at the first bad file.
    """
    words = model.categories
    pictures = list(pictures)
    features = [read_features(model, picture.path) for picture in pictures]
    return label_features(features, [label_index(p.label, words) for p in pictures])


def label_index(name: str | None, words: Sequence[str]) -> int:
    """Find the place of a class among the words. Raises `LoraDemoError` if it is none of them."""
    return NONE_OF_THESE if name is None else words.index(find_category(name, words))


def label_features(features: list[Features], labels: list[int]) -> FeatureSet:
    """Join the features of single pictures into one set with their labels."""
    joined = {name: torch.cat([vars(f)[name] for f in features]) for name in vars(features[0])}
    return FeatureSet(**joined, labels=torch.tensor(labels).to(features[0].logits.device))


def _compute_once(key: _Key, x: Tensor) -> Features:
    """Compute the features of x, unless another visitor's thread has done so meanwhile."""
    with _trunk:
        with _memory:
            features = _features.get(key)
        if features is None:
            features = _compute(key[0], x)
            with _memory:
                _features[key] = features
    return features


@torch.no_grad()
def _compute(model: FrozenModel, x: Tensor) -> Features:
    """Run the network on one picture x (1, 3, input_px, input_px); its pixels are left out."""
    # cuDNN would use TF32, which keeps 10 bits. Full precision costs little, as each picture is
    # run only once, and gives the CPU's logits.
    with cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        trunk = model.trunk(x)
    head_input = model.classifier[:-1](trunk)
    logits = model.head(head_input)
    return Features(x.new_empty(1, 0), trunk, head_input, logits, miniature(x))


_features: LRUCache[_Key, Features] = LRUCache(FEATURE_BYTES, attrgetter("nbytes"))
_pixels: LRUCache[_Key, Tensor] = LRUCache(PIXEL_BYTES, attrgetter("nbytes"))
_memory = threading.Lock()  # held to look into the two or to change them
_trunk = threading.Lock()  # one pass at a time: it uses all cores
