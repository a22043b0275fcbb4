"""Read tensor files from strangers: nothing in them is run, at a bounded cost."""

import io
import pickletools
import zipfile
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from lora_demo.limits import MAX_LORA_BYTES

MAX_HEADER_BYTES = 64 * 2**10  # of a .safetensors file; 100 new words have 24 kB at most
MAX_TENSORS = 6  # A and B of three linear layers
MAX_NUMBER = 1e6  # larger ones would overflow, and then even strength 0 is not the base model
MAX_ENTRIES = 32  # a state_dict of six tensors has about a dozen
ENTRY = b"PK\1\2"  # what each entry in the directory of a zip archive begins with
MAX_PICKLE_BYTES = 64 * 2**10  # six tensors have less than 2 kB
PICKLE_GLOBALS = {
    "collections OrderedDict",
    "torch FloatStorage",
    "torch._utils _rebuild_tensor_v2",
}
PICKLE_CONTAINERS = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "REDUCE"}
PICKLE_OPCODES = PICKLE_CONTAINERS | {
    *("BINGET", "BININT", "BININT1", "BININT2", "BINPERSID", "BINPUT", "BINUNICODE", "BUILD"),
    *("EMPTY_TUPLE", "GLOBAL", "MARK", "NEWFALSE", "PROTO", "SETITEM", "SETITEMS", "STOP"),
}


def read_pth(path: Path) -> dict[str, Tensor]:
    """Read a float32 state_dict that torch.save wrote; other files raise any error.

    Two readers can see two archives in one crafted file, so what was checked is packed again for
    torch to read; with names in lower case, as torch takes DATA.PKL for data.pkl.
    """
    _check_size(path)
    raw = path.read_bytes()
    if raw.count(ENTRY) > MAX_ENTRIES:  # opening makes an object of each
        raise ValueError("has too many entries")
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("is compressed, and so can unpack to more than it says")
        if sum(entry.file_size for entry in entries) > MAX_LORA_BYTES:  # parts can overlap
            raise ValueError("unpacks to more than it may")
        contents = {entry.filename.lower(): archive.read(entry) for entry in entries}
    [pickled] = [name for name in contents if name.endswith("data.pkl")]
    _check_pickle(contents[pickled])
    _check_storages(contents, pickled)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    packed.seek(0)
    return _check_tensors(dict(torch.load(packed, map_location="cpu", weights_only=True)))


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read metadata and float32 tensors; other files raise any error."""
    _check_size(path)
    with path.open("rb") as raw:
        if int.from_bytes(raw.read(8), "little") > MAX_HEADER_BYTES:
            raise ValueError("has too long a header")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), _check_tensors(tensors)


def _check_size(path: Path) -> None:
    if path.stat().st_size > MAX_LORA_BYTES:
        raise ValueError(f"has more than {MAX_LORA_BYTES:,} bytes")


def _check_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if len(tensors) > MAX_TENSORS:
        raise ValueError(f"holds more than {MAX_TENSORS} tensors")
    for tensor in tensors.values():
        if tensor.numel() * tensor.itemsize > MAX_LORA_BYTES:  # one number, stretched
            raise ValueError("says that it is larger than the file")
        if tensor.dtype != torch.float32 or not (tensor.abs() <= MAX_NUMBER).all():
            raise ValueError("holds other than 32-bit numbers, too large ones, or NaN")
    return tensors


def _check_pickle(data: bytes) -> None:
    """Accept only what a saved state_dict consists of, and nothing that refers to itself.

    `weights_only` runs no code, but a few hundred bytes can still ask for gigabytes
    (`bytearray(2**31)`) or for years (tuples of the same tuple twice, nested).
    """
    if len(data) > MAX_PICKLE_BYTES:
        raise ValueError("has too long a pickle")
    containers, before = set(), ""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in PICKLE_OPCODES:
            raise ValueError(f"{opcode.name} has no place in a state_dict")
        if opcode.name == "GLOBAL" and argument not in PICKLE_GLOBALS:
            raise ValueError(f"{argument} has no place in a state_dict")
        if opcode.name == "BINPUT" and before in PICKLE_CONTAINERS:
            containers.add(argument)
        if opcode.name == "BINGET" and argument in containers:
            raise ValueError("a container is used twice")
        before = opcode.name


def _check_storages(contents: dict[str, bytes], pickled: str) -> None:
    """Check that each storage has as many numbers as the pickle says.

    Before 2.10 torch does not check it, and so would read the memory behind the storage.
    """
    opcodes = pickletools.genops(contents[pickled])
    parts = [(opcode.name, argument) for opcode, argument, _ in opcodes if opcode.name != "BINPUT"]
    for place, (name, _) in enumerate(parts):
        if name == "BINPERSID":  # ("storage", type, key, device, count)
            (key_is, key), _, (count_is, count), (end, _) = parts[place - 4 : place]
            as_saved = (key_is, count_is[:6], end) == ("BINUNICODE", "BININT", "TUPLE")
            if not as_saved or not isinstance(count, int):
                raise ValueError("has a storage described in another way than torch.save's")
            if len(contents[f"{pickled.removesuffix('.pkl')}/{key}"]) != 4 * count:  # float32
                raise ValueError("has more or fewer bytes than it says")
