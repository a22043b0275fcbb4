"""The bank: pictures of nothing in three styles, as the frozen network sees them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn import functional as F

from lora_demo.backbones.features import read_features
from lora_demo.backbones.models import FrozenModel

BANK = sorted((Path(__file__).parent / "bank").glob("*.webp"))  # drawn by data/make_bank.py


@cache
def style_features(model: FrozenModel) -> Tensor:
    """Return what the bank's pictures feed into the head, at unit length: (K, D).

    They show nothing, so what they share is how pen, flat colour and paint look. Computed once for
    a network, and then kept beside its weights: VGG-19 needs seconds.
    """
    kept = _kept_at(model)
    with suppress(Exception):  # absent, or damaged: then they are computed again
        return load(kept.read_bytes())["head_input"].to(model.device)
    read = [read_features(model, path, with_pixels=False).head_input for path in BANK]
    features = F.normalize(torch.cat(read), dim=1)
    with suppress(OSError):  # a folder that nobody may write into
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(f".{os.getpid()}")  # whole, or not at all
        new.write_bytes(save({"head_input": features.cpu()}))
        new.replace(kept)
    return features


def _kept_at(model: FrozenModel) -> Path:
    """Name the file after the weights and the pictures: others of either have other features."""
    digest = hashlib.sha256(model.head.weight.cpu().numpy().tobytes())
    for path in BANK:
        digest.update(path.read_bytes())
    return Path(torch.hub.get_dir()) / "lora_demo" / f"{digest.hexdigest()[:16]}.safetensors"
