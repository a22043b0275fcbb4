"""Changed files for the two readers: `python -m tests.fuzz [--seconds 600] [--reader pictures]`.

Each file is read in a child process. It fails where the child dies, takes too long or too much
memory, raises what has no name, or gives what it must not; it is then kept in `tests/corpus/`.
The same seed makes the same files.
"""

import argparse
import hashlib
import io
import json
import multiprocessing
import random
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, PngImagePlugin

from lora_demo import AdapterSpec, LoraDemoError, load_adapter, load_model, save_adapter
from lora_demo.checkpoints.untrusted import MAX_NUMBER
from lora_demo.images.reading import decode_image
from lora_demo.limits import MAX_PIXELS
from lora_demo.lora.methods import new_adapter
from tests.support import hostile_heic
from tests.support.mutations import mutate

CORPUS = Path(__file__).with_name("corpus")
SECONDS_PER_FILE = 5.0  # a valid picture of 50 million pixels takes two
MAX_KEPT_BYTES = 64 * 2**10


@dataclass(frozen=True)
class Reader:
    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes], None]  # raises LoraDemoError, or AssertionError where it gives wrong
    memory_mb: int  # more for one file is a failure


@dataclass(frozen=True)
class Failure:
    reader: str
    case: int
    what: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Outcome:
    reader: str
    seed: int
    cases: int
    refused: int
    seconds: float
    per_second: float
    failed: int


def picture_seeds() -> list[bytes]:
    """Every format, with what such a file can carry."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x0112] = 6
    text.add_text("Comment", "x" * 50, zip=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = {"save_all": True, "append_images": [noise.rotate(180)]}
    grey16 = Image.fromarray(np.arange(768, dtype=np.uint16).reshape(24, 32))
    return [
        _encoded(noise, "JPEG", exif=exif, icc_profile=profile),
        _encoded(noise, "JPEG", progressive=True),
        _encoded(noise.convert("CMYK"), "JPEG"),
        _encoded(noise, "PNG", exif=exif, icc_profile=profile, pnginfo=text),
        _encoded(noise.quantize(16), "PNG", transparency=b"\0\x80"),
        _encoded(grey16, "PNG"),
        _encoded(noise.convert("RGBA"), "PNG", **frames),
        _encoded(noise, "GIF", comment=b"x" * 300, **frames),
        _encoded(noise, "WEBP", exif=exif, quality=50),
        _encoded(noise, "WEBP", lossless=True, **frames),
        _encoded(noise, "BMP"),
        _encoded(noise.quantize(16), "BMP"),
        _encoded(noise, "AVIF", exif=exif),
        _encoded(noise, "AVIF", **frames),
        *(path.read_bytes() for path in sorted((CORPUS / "heic").iterdir())),
        hostile_heic.good_grid(),
    ]


def adapter_seeds() -> list[bytes]:
    """Both formats; a category, a new word, nothing."""
    model = load_model("efficientnet_lite0")
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            save_adapter(
                new_adapter(AdapterSpec(model.name, "head", 1, 0, names, 1.0), model),
                Path(folder) / f"{number}{suffix}",
            )
            for number, names in enumerate([("goldfish",), ("my mug",), ()])
            for suffix in (".safetensors", ".pth")
        ]
        return [path.read_bytes() for path in paths]


def read_picture(data: bytes) -> None:
    image = decode_image(data, "picture")
    assert image.mode == "RGB"
    assert image.width * image.height <= MAX_PIXELS


def read_adapter(data: bytes) -> None:
    """As each of the two; one of them has to raise, or else the file would be both."""
    suffix = ".safetensors" if data[8:9] == b"{" else ".pth"
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as at:
        path = Path(at) / f"lora{suffix}"
        path.write_bytes(data)
        adapter = load_adapter(path, load_model("efficientnet_lite0"))
    for tensor in adapter.loras.state_dict().values():
        assert tensor.dtype == torch.float32
        assert (tensor.abs() <= MAX_NUMBER).all()


READERS = {
    "pictures": Reader(picture_seeds, read_picture, memory_mb=1200),
    "adapters": Reader(adapter_seeds, read_adapter, memory_mb=200),
}


def make_case(seeds: list[bytes], name: str, seed: int, case: int) -> bytes:
    rng = random.Random(f"{name} {seed} {case}")
    return mutate(rng.choice(seeds), seeds, rng)


def fuzz(name: str, seconds: float, seed: int = 0) -> tuple[Outcome, list[Failure]]:
    seeds, failures, refused, case = READERS[name].seeds(), [], 0, 0
    child: _Child | None = _Child(name, seeds)
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        child = child or _Child(name, seeds)
        data = make_case(seeds, name, seed, case)
        what = child.read(data)
        refused += what == "refused"
        if what not in ("read", "refused"):
            failures.append(_keep(name, case, what, data))
            child.end()
            child = None
        case += 1
    if child:
        child.end()
    took = time.monotonic() - started
    return Outcome(name, seed, case, refused, took, case / took, len(failures)), failures


class _Child:
    """The process that reads, with limits on memory and time."""

    def __init__(self, name: str, seeds: list[bytes]):
        context = multiprocessing.get_context("spawn")
        self._pipe, its = context.Pipe()
        self._process = context.Process(target=_read_all, args=(its, name, seeds), daemon=True)
        self._process.start()
        its.close()
        self._pipe.recv()  # it has imported all and is ready

    def read(self, data: bytes) -> str:
        """What became of it: "read", "refused", or how it failed."""
        try:
            self._pipe.send_bytes(data)
            if not self._pipe.poll(SECONDS_PER_FILE):
                return f"over {SECONDS_PER_FILE:.0f} s"
            return self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            return f"ended by {self._process.exitcode}"

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _read_all(pipe: Connection, name: str, seeds: list[bytes]) -> None:
    reader = READERS[name]
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # Pillow warns of what it then refuses
    for data in seeds:  # whatever is loaded at first use
        reader.read(data)
    resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    while True:
        data = pipe.recv_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        what = _try(reader, data)
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        pipe.send(f"took {grown_mb} MB" if grown_mb > reader.memory_mb else what)


def _try(reader: Reader, data: bytes) -> str:
    try:
        reader.read(data)
    except LoraDemoError:
        return "refused"
    except BaseException as error:  # whatever has no name here is what is looked for
        return f"{type(error).__name__}: {error}"[:200]
    return "read"


def _keep(name: str, case: int, what: str, data: bytes) -> Failure:
    digest = hashlib.sha256(data).hexdigest()
    if len(data) <= MAX_KEPT_BYTES:
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        (CORPUS / name / f"{digest}.bin").write_bytes(data)
    return Failure(name, case, what, digest, len(data))


def _encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600, help="in all, shared by the readers")
    parser.add_argument("--reader", choices=READERS, help="one of the two; both, one by one")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    names = [asked.reader] if asked.reader else list(READERS)
    for name in names:
        outcome, failures = fuzz(name, asked.seconds / len(names), asked.seed)
        failed = ", ".join(sorted({f.what for f in failures})) or "none failed"
        print(
            f"{name}: {outcome.cases:,} files in {outcome.seconds:.0f} s, "
            f"{outcome.per_second:,.0f} a second, {outcome.refused:,} refused by name; {failed}"
        )
        print(json.dumps([asdict(outcome), *map(asdict, failures)]))
