"""What the frozen network makes of a picture, worked out once and remembered."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.backends import cudnn

from lora_demo.backbones.duplicates import miniature
from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import find_category
from lora_demo.images.reading import LabelledImage, decode_image, read_image_bytes

FEATURE_BYTES = 128 * 2**20  # remembered: the largest set of pictures, on any base model
PIXEL_BYTES = 64 * 2**20  # about 100 pictures: to decode them again is quicker than the trunk


@dataclass(frozen=True)
class Features:
    """One picture or more as the frozen network sees them, on its device."""

    pixels: Tensor  # (N, 3 * input_px * input_px) normalised; (N, 0) where nobody reads them
    trunk: Tensor  # (N, T) what leaves the trunk
    head_input: Tensor  # (N, D) what goes into the last linear layer
    logits: Tensor  # (N, C) the base model's own answer
    miniature: Tensor  # (N, M) what tells copies from other pictures; nobody learns from it

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in vars(self).values())


@dataclass(frozen=True)
class FeatureSet(Features):
    """Pictures to learn from: features and the class that each picture shows."""

    labels: Tensor  # (N,) class indices, int64

    @property
    def pictures_per_class(self) -> float:
        return len(self.labels) / len(self.labels.unique())

    def pick(self, chosen: Tensor | slice) -> "FeatureSet":
        """Some of the pictures, by index, mask or slice."""
        return FeatureSet(*(tensor[chosen] for tensor in vars(self).values()))


def read_features(model: FrozenModel, path: Path | str, with_pixels: bool = True) -> Features:
    """One picture file through the trunk, or from memory where it has been through before.

    Pictures go one at a time: in a larger batch the last bits of the sums differ, and then what
    is remembered would depend on the company it was read in. The pixels take most of the
    memory, and only `Placement.PIXELS` reads them. Raises `ImageError`.
    """
    path = Path(path)
    data = read_image_bytes(path)
    key = (model, hashlib.sha256(data).digest())
    features, pixels = _features.get(key), _pixels.get(key)
    if features is None or (with_pixels and pixels is None):
        x = model.preprocess(decode_image(data, path.name))[None].to(model.device)
        with _trunk:
            features = _features.get(key)  # another visitor may have read it meanwhile
            if features is None:
                features = _compute(model, x)
                _features.put(key, features)
        if with_pixels:
            pixels = x.flatten(1)
            _pixels.put(key, pixels)
    return replace(features, pixels=pixels) if with_pixels else features


def forget_features(paths: Iterable[Path]) -> Iterator[Path]:
    """Of these picture files nothing stays in memory; yields each that is forgotten."""
    for path in paths:
        with suppress(OSError):
            digest = hashlib.sha256(path.read_bytes()).digest()
            for memory in (_features, _pixels):
                memory.drop(digest)
            yield path


def read_feature_set(model: FrozenModel, pictures: Iterable[LabelledImage]) -> FeatureSet:
    """The features of pictures of known classes in one set; `train` takes new words, too.

    Raises `ImageError` at the first bad file.
    """
    words = model.categories
    pictures = list(pictures)
    features = [read_features(model, picture.path) for picture in pictures]
    return label_features(features, [words.index(find_category(p.label, words)) for p in pictures])


def label_features(features: list[Features], labels: list[int]) -> FeatureSet:
    """One set."""
    return FeatureSet(
        *(torch.cat([vars(f)[name] for f in features]) for name in vars(features[0])),
        torch.tensor(labels).to(features[0].logits.device),
    )


@torch.no_grad()
def _compute(model: FrozenModel, x: Tensor) -> Features:
    """Of one picture x (1, 3, input_px, input_px): all but its pixels."""
    # cuDNN would take TF32, which keeps 10 bits; each picture comes by but once, so that the CPU's
    # answers cost next to nothing
    with cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        trunk = model.trunk(x)
    head_input = model.classifier[:-1](trunk)
    logits = model.head(head_input)
    return Features(x.new_empty(1, 0), trunk, head_input, logits, miniature(x))


class _Memory:
    """What was used last, up to a number of bytes."""

    def __init__(self, limit_bytes: int):
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._entries: OrderedDict[tuple, Features | Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple) -> Features | Tensor | None:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: tuple, entry: Features | Tensor) -> None:
        with self._lock:
            if key not in self._entries:
                self._entries[key] = entry
                self._used_bytes += entry.nbytes
            while self._used_bytes > self._limit_bytes:
                self._used_bytes -= self._entries.popitem(last=False)[1].nbytes

    def drop(self, digest: bytes) -> None:
        with self._lock:
            for key in [key for key in self._entries if key[1] == digest]:
                self._used_bytes -= self._entries.pop(key).nbytes


_features, _pixels = _Memory(FEATURE_BYTES), _Memory(PIXEL_BYTES)
_trunk = threading.Lock()  # one pass at a time: it has all cores
