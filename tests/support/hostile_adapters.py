"""LoRA files that mean harm, each by a named maker. None of them may be read."""

import io
import json
import os
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file

from lora_demo.limits import MAX_LORA_BYTES

Maker = Callable[[Path], object]
CANARY = Path(tempfile.gettempdir()) / f"canary-{os.getpid()}"  # a folder that such code makes


class Evil:
    """Whoever unpickles it runs its code."""

    def __reduce__(self):
        return os.mkdir, (str(CANARY),)


_NAME = b"V" + str(CANARY).encode() + b"\n"
CODE = {  # pickles, in every way that an opcode can call something
    "called": b"c%b\nmkdir\n(%btR." % (os.name.encode(), _NAME),
    "called in the new way": pickle.dumps(Evil(), 4),
    "an instance": b"(%bi%b\nmkdir\n." % (_NAME, os.name.encode()),
    "an object": b"(c%b\nmkdir\n%bo." % (os.name.encode(), _NAME),
    "hidden in a list": pickle.dumps([1, {"A": Evil()}], 2),
}


def archive(path: Path, pickled: bytes, **more: bytes) -> None:
    """A zip archive as torch.save makes it, with a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/version", "3\n")
        for name, data in more.items():
            file.writestr(f"archive/{name}", data)


def state(path: Path, **changes: torch.Tensor) -> None:
    """A fitting LoRA but for what is changed."""
    torch.save({"A": torch.zeros(1280, 2), "B": torch.zeros(2, 1000)} | changes, path)


def fewer_numbers_than_said(path: Path) -> None:
    """Who takes its word reads what lies behind them in memory."""
    good = io.BytesIO()
    state(good)
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(path, "w") as short:
        for name in whole.namelist():
            data = whole.read(name)
            short.writestr(name, data[:8] if "/data/" in name else data)


def lying_about_its_size(method: int) -> Maker:
    """An entry that says 100 bytes, and unpacks to 300 MB before that is noticed."""

    @cache
    def packed() -> bytes:
        size = 300 * 2**20
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w", method) as file:
            file.writestr("archive/data.pkl", bytes(size))
        return raw.getvalue().replace(struct.pack("<L", size), b"d\0\0\0")

    return lambda path: path.write_bytes(packed())


def long_directory(path: Path) -> None:
    entry = b"PK\1\2" + bytes(42)
    times = MAX_LORA_BYTES // len(entry) - 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, times * len(entry), 0, 0)
    path.write_bytes(entry * times + end)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("lora/data.pkl", bytes(60 * 2**20))


def huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def years_to_hash(path: Path) -> None:
    twice = b"".join(b"h%c\x86q%c" % (i, i + 1) for i in range(40))
    archive(path, b"\x80\x02})q\x00h\x00" + twice + b"K\x01s.")


def two_pickles(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02}.")
        file.writestr("archive/DATA.PKL", CODE["called"])


def two_directories(path: Path) -> None:
    """An archive with two tables of contents, of which each reader takes another."""

    def part(data: bytes) -> tuple[bytes, bytes, bytes]:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as one:
            one.writestr("archive/data.pkl", data)
            one.writestr("archive/version", "3\n")
        raw = file.getvalue()
        size, offset = struct.unpack("<LL", raw[-10:-2])
        return raw[:offset], raw[offset : offset + size], raw[-22:]

    evil, evil_directory, _ = part(GIGABYTES)
    good, good_directory, end = part(b"\x80\x02}.                          ")
    end = end[:16] + struct.pack("<L", len(evil)) + end[20:]
    path.write_bytes(evil + evil_directory + good + good_directory + end)


def old_pickle_before_an_archive(path: Path) -> None:
    """One reader starts at the front, another at the end."""
    good = io.BytesIO()
    torch.save({"A": torch.zeros(1280, 1), "B": torch.zeros(1, 1000)}, good)
    magic = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    twice = b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60))
    front = b"".join(pickle.dumps(part, 2) for part in magic) + b"\x80\x02}(" + twice + b"K\x01u."
    path.write_bytes(front + pickle.dumps([], 2) + good.getvalue())


def stretched(path: Path) -> None:
    torch.save({"A": torch.zeros(1).expand(1280, 10**5), "B": torch.zeros(1)}, path)


def many_stretched(path: Path) -> None:
    torch.save({f"{i}.A": torch.zeros(1).expand(12_000_000) for i in range(200)}, path)


def script_module(path: Path) -> None:
    """What torch.jit.save writes has code in it."""
    code = b"def forward(self):\n  return torch.save(1, '%b')\n" % str(CANARY).encode()
    archive(path, b"\x80\x02c__torch__\nM\n)\x81.", **{"code/__torch__.py": code})


GIGABYTES = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."
PTH: dict[str, Maker] = {
    **{f"code, {way}": lambda path, code=code: archive(path, code) for way, code in CODE.items()},
    "code, without an archive": lambda path: path.write_bytes(pickle.dumps(Evil())),
    "code, saved by torch": lambda path: torch.save({"A": Evil()}, path),
    "code, in torch's old format": lambda path: torch.save(
        {"A": Evil()}, path, _use_new_zipfile_serialization=False
    ),
    "a script module": script_module,
    "two pickles": two_pickles,
    "two directories": two_directories,
    "0 bytes": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("A and B"),
    "10 GB": huge_file,
    "a zip bomb": zip_bomb,
    "a deflated entry that lies": lying_about_its_size(zipfile.ZIP_DEFLATED),
    "a bzip2 entry that lies": lying_about_its_size(zipfile.ZIP_BZIP2),
    "a directory of a million entries": long_directory,
    "a pickle of 40 MB": lambda path: archive(path, b"\x80\2" + b")" * 40 * 2**20 + b"."),
    "years to hash": years_to_hash,
    "gigabytes to make": lambda path: archive(path, GIGABYTES),
    "fewer numbers than said": fewer_numbers_than_said,
    "one number, stretched": stretched,
    "one number, stretched many times": many_stretched,
    "no tensors": lambda path: torch.save({"A": 1, "B": "x"}, path),
    "a list": lambda path: torch.save([torch.zeros(1280, 2), torch.zeros(2, 1000)], path),
    "wrong rows": lambda path: state(path, A=torch.zeros(7, 2)),
    "wrong columns": lambda path: state(path, B=torch.zeros(2, 999)),
    "wrong inner size": lambda path: state(path, B=torch.zeros(3, 1000)),
    "one dimension": lambda path: state(path, A=torch.zeros(2560)),
    "no dimension": lambda path: state(path, A=torch.tensor(1.0)),
    "nothing in it": lambda path: state(path, A=torch.zeros(1280, 0), B=torch.zeros(0, 1000)),
    "another tensor": lambda path: state(path, C=torch.zeros(1)),
    "rank too large": lambda path: state(path, A=torch.zeros(1280, 99), B=torch.zeros(99, 1000)),
    "64-bit numbers": lambda path: state(path, A=torch.zeros(1280, 2).double()),
    "16-bit numbers": lambda path: state(path, A=torch.zeros(1280, 2).half()),
    "whole numbers": lambda path: state(path, A=torch.zeros(1280, 2).long()),
    "complex numbers": lambda path: state(path, A=torch.zeros(1280, 2, dtype=torch.complex64)),
    "a sparse tensor": lambda path: state(path, A=torch.zeros(1280, 2).to_sparse()),
    "NaN": lambda path: state(path, A=torch.full((1280, 2), torch.nan)),
    "infinity": lambda path: state(path, B=torch.full((2, 1000), torch.inf)),
    "one NaN": lambda path: state(
        path, B=torch.zeros(2, 1000).index_fill(0, torch.tensor(1), torch.nan)
    ),
    "huge numbers": lambda path: state(path, A=torch.full((1280, 2), 3e38)),
    "a .safetensors by another name": lambda path: with_spec(path),
}


def with_spec(path: Path, tensors: dict[str, torch.Tensor] | None = None, **changes) -> None:
    """A fitting .safetensors file but for what is changed."""
    spec = {"model_name": "efficientnet_lite0", "placement": "head", "rank": 2, "seed": 0}
    spec |= {"class_names": ["goldfish"]} | changes
    fitting = {"A": torch.zeros(1280, 2), "B": torch.zeros(2, 1000)}
    save_file(fitting | (tensors or {}), path, metadata={"lora_demo.spec": json.dumps(spec)})


def header(text: str, length: int | None = None, data: bytes = b"") -> Maker:
    """A .safetensors file of a header as it stands, and of a length that may be another."""
    packed = text.encode()
    size = struct.pack("<Q", len(packed) if length is None else length)
    return lambda path: path.write_bytes(size + packed + data)


def tensor_header(dtype: str, shape: str, offsets: str) -> str:
    return f'{{"A":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}'


def metadata(text: str) -> Maker:
    tensors = {"A": torch.zeros(1280, 2), "B": torch.zeros(2, 1000)}
    return lambda path: save_file(tensors, path, metadata={"lora_demo.spec": text})


MARKUP = "<img src=x onerror='window.hit=1'>"
SAFETENSORS: dict[str, Maker] = {
    "0 bytes": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("A and B"),
    "a .pth by another name": lambda path: state(path),
    "code": lambda path: path.write_bytes(pickle.dumps(Evil())),
    "10 GB": huge_file,
    "says it is 10 GB": header(tensor_header("F32", "[2500000000]", "[0,10000000000]")),
    "a shape that overflows": header(tensor_header("F32", f"[{2**62},4]", "[0,0]")),
    "a negative shape": header(tensor_header("F32", "[-1]", "[0,4]"), data=bytes(4)),
    "offsets that cross": header(tensor_header("F32", "[1]", "[4,0]"), data=bytes(4)),
    "offsets of nothing": header(tensor_header("F32", "[1]", f"[0,{2**64}]")),
    "an unknown type": header(tensor_header("F33", "[1]", "[0,4]"), data=bytes(4)),
    "a header of 2^63 bytes": header("{}", length=2**63),
    "a header of 10 MB": header("{" + " " * 10 * 2**20 + "}"),
    "a header without end": header('{"A":' * 10_000),
    "no metadata": lambda path: save_file({"A": torch.zeros(1)}, path),
    "metadata that is no JSON": metadata("{"),
    "metadata that is a list": metadata("[]"),
    "metadata that is nested": metadata("[" * 20_000 + "]" * 20_000),
    "metadata with a number without end": metadata('{"rank": 1' + "0" * 5000 + "}"),
    "another rank": lambda path: with_spec(path, rank=3),
    "rank of a billion": lambda path: with_spec(path, rank=10**9),
    "rank that is true": lambda path: with_spec(path, rank=True),
    "a negative seed": lambda path: with_spec(path, seed=-1),
    "a seed without end": lambda path: with_spec(path, seed=10**400),
    "unknown placement": lambda path: with_spec(path, placement=MARKUP),
    "unknown model": lambda path: with_spec(path, model_name=MARKUP),
    "a model name without end": lambda path: with_spec(path, model_name="x" * 10**6),
    "a class that is markup": lambda path: with_spec(path, class_names=[MARKUP]),
    "a class as a list": lambda path: with_spec(path, class_names=[["x"]]),
    "a class many times": lambda path: with_spec(path, class_names=["goldfish"] * 10**5),
    "a million words": lambda path: with_spec(path, class_names=[str(i) for i in range(10**6)]),
    "a word with a NUL": lambda path: with_spec(path, class_names=["a\0b"]),
    "a word that turns the text around": lambda path: with_spec(path, class_names=["a\u202eb"]),
    "no list of classes": lambda path: with_spec(path, class_names=7),
    "words as one text": lambda path: with_spec(path, class_names="mug"),
    "strength NaN": lambda path: with_spec(path, strength=float("nan")),
    "strength true": lambda path: with_spec(path, strength=True),
    "strength beyond the dial": lambda path: with_spec(path, strength=2.5),
    "unknown field": lambda path: with_spec(path, more=1),
    "many tensors": lambda path: with_spec(path, {str(i): torch.zeros(0) for i in range(10**4)}),
    "another tensor": lambda path: with_spec(path, {"C": torch.zeros(1)}),
    "64-bit numbers": lambda path: with_spec(path, {"A": torch.zeros(1280, 2).double()}),
    "16-bit numbers": lambda path: with_spec(path, {"A": torch.zeros(1280, 2).bfloat16()}),
    "whole numbers": lambda path: with_spec(path, {"A": torch.zeros(1280, 2).long()}),
    "NaN": lambda path: with_spec(path, {"A": torch.full((1280, 2), torch.nan)}),
    "infinity": lambda path: with_spec(path, {"B": torch.full((2, 1000), -torch.inf)}),
    "huge numbers": lambda path: with_spec(path, {"A": torch.full((1280, 2), 1e30)}),
}
HOSTILE = {
    **{f"{name} (.pth)": (make, ".pth") for name, make in PTH.items()},
    **{f"{name} (.safetensors)": (make, ".safetensors") for name, make in SAFETENSORS.items()},
}
