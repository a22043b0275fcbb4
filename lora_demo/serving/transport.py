"""Send a function and its files to another machine, which does not see this one's disk."""

from __future__ import annotations

import io
import pickle
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

from lora_demo.limits import MAX_LORA_BYTES
from lora_demo.serving.cleanup import delete_old, give_back_memory

PREFIX = "lora-demo-"
_arrivals = threading.local()  # .folder: where the files of the payload that is opened are put


class _Packer(pickle.Pickler):
    """Send the file with its path."""

    def reducer_override(self, thing: object) -> object:
        if isinstance(thing, Path):
            fits = thing.is_file() and thing.stat().st_size <= MAX_LORA_BYTES
            return _unpack, (thing.name, thing.read_bytes() if fits else b"")  # it is refused there
        return NotImplemented


def pack(thing: object) -> bytes:
    file = io.BytesIO()
    _Packer(file).dump(thing)
    return file.getvalue()


def run_payload(payload: bytes) -> Generator:
    """Yield the steps of a packed (function, arguments); its files exist here only meanwhile."""
    delete_old(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))  # of runs that were lost
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        _arrivals.folder = folder
        function, arguments = pickle.loads(payload)
        try:
            yield from function(*arguments)
        finally:
            give_back_memory()


def _unpack(name: str, data: bytes) -> Path:
    path = Path(tempfile.mkdtemp(dir=_arrivals.folder)) / name
    path.write_bytes(data)
    return path
