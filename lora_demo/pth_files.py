"""State dicts from strangers: nothing in the file is run, and it gets little memory and time."""

import pickletools
import zipfile
from pathlib import Path

import torch
from torch import Tensor

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


def read_pth(path: Path, max_bytes: int) -> dict[str, Tensor]:
    """The tensors of a float32 state_dict that torch.save wrote; any error for other files."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > max_bytes:
            raise ValueError("unpacks to more than it may")
        [pickled] = [name for name in archive.namelist() if name.lower().endswith("data.pkl")]
        _check_pickle(archive.read(pickled))
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _check_pickle(data: bytes) -> None:
    """Let through what a saved state_dict consists of, and nothing that refers to itself.

    `weights_only` runs no code, but a few hundred bytes can still ask for gigabytes
    (`bytearray(2**31)`) or for years (tuples of the same tuple twice, nested).
    """
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
