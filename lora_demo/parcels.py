"""A function at work in another process: what goes there and what comes back, as bytes.

Files travel as bytes, the frozen network as its name.
"""

from __future__ import annotations

import io
import pickle
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from lora_demo.errors import LoraDemoError
from lora_demo.jobs import is_lasting
from lora_demo.limits import KEEP_SECONDS, MAX_LORA_BYTES
from lora_demo.long_work import SHOW_SECONDS

PATIENCE_SECONDS = 60  # with a front that asks for no news, and with a step that does not end
PREFIX = "lora-demo-"
_arrivals = threading.local()  # .folder: where files of this thread's parcel are put


class _Packer(pickle.Pickler):
    """A file goes along with its path: other machines do not see the disk of this one."""

    def reducer_override(self, thing: object) -> object:
        if isinstance(thing, Path):
            fits = thing.is_file() and thing.stat().st_size <= MAX_LORA_BYTES
            return _unpack, (thing.name, thing.read_bytes() if fits else b"")  # is refused there
        return NotImplemented


def pack(thing: object) -> bytes:
    file = io.BytesIO()
    _Packer(file).dump(thing)
    return file.getvalue()


def _unpack(name: str, data: bytes) -> Path:
    path = Path(tempfile.mkdtemp(dir=_arrivals.folder)) / name
    path.write_bytes(data)
    return path


def _new_folder() -> str:
    """For the files of one run; those of runs that were lost go here, too."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    return tempfile.mkdtemp(prefix=PREFIX)


class Run:
    """One function at work, in a thread of its actor, as long as somebody asks for news of it."""

    def __init__(self, parcel: bytes):
        self._news: list[bytes] = []  # lasting steps, in their order
        self._newest: bytes | None = None  # of the others
        self._over = self._stopped = False
        self._asked = time.monotonic()
        self._changed = threading.Condition()
        threading.Thread(target=self._work, args=(parcel,), daemon=True).start()

    def look(self) -> tuple[list[bytes], bool]:
        """What came since the last look, and whether that was all."""
        with self._changed:
            self._asked = time.monotonic()
            self._changed.wait_for(lambda: self._news or self._over, SHOW_SECONDS)
            news = [*self._news, *filter(None, [self._newest])]
            self._news, self._newest = [], None
            return news, self._over

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: self._over, PATIENCE_SECONDS)

    def _work(self, parcel: bytes) -> None:
        _arrivals.folder = _new_folder()
        packed_at = 0.0
        try:
            function, arguments = pickle.loads(parcel)
            step, told = None, True
            for step in function(*arguments):
                lasting = told = is_lasting(step)
                if lasting or time.monotonic() - packed_at > SHOW_SECONDS:
                    self._tell(step, lasting)
                    packed_at = time.monotonic()
                if time.monotonic() - self._asked > PATIENCE_SECONDS:
                    raise LoraDemoError("Nobody asked for it any more. Try again.")
                if self._stopped:
                    break
            if not told:  # the last one counts, whatever it is
                self._tell(step, True)
        except LoraDemoError as error:  # it is raised again on the other side
            self._tell(error, True)
        except Exception as error:  # whatever it was: not all of them can be packed
            self._tell(RuntimeError(repr(error)), True)
        finally:
            shutil.rmtree(_arrivals.folder, ignore_errors=True)
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _tell(self, step: object, lasting: bool) -> None:
        data = pack(step)
        with self._changed:
            if lasting:
                self._news.append(data)
                self._newest = None
                self._changed.notify_all()
            else:
                self._newest = data
