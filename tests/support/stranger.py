"""The app as a process of its own: one client attacks, and others ask whether it still lives."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.benchmarks.speed_app import ROOT, megabytes, started
from tests.conftest import DATA
from tests.support.wire import upload

PING = """
import sys, threading, time, httpx
over, times = threading.Event(), []
threading.Thread(target=lambda: (sys.stdin.read(), over.set())).start()
with httpx.Client() as http:
    while not (times and over.wait(0.1)):
        before = time.perf_counter()
        http.get(sys.argv[1], timeout=60).raise_for_status()
        times.append(time.perf_counter() - before)
print(max(times, default=0.0))
"""


@dataclass
class Pings:
    longest: float = field(default=0.0)  # s, once the work is over


@dataclass(frozen=True)
class Attacked:
    process: int
    url: str
    uploads: Path
    log: Path

    @property
    def megabytes(self) -> float:
        """What is resident now."""
        return megabytes("VmRSS", self.process)

    @property
    def megabytes_on_disk(self) -> float:
        files = [path for path in self.uploads.rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files) / 1e6

    def picture(self, name: str = "1.png") -> dict:
        """An honest picture, uploaded: as endpoints expect it."""
        return upload(self.url, name, (DATA / "goldfish" / "1.png").read_bytes())

    @contextmanager
    def pings(self) -> Iterator[Pings]:
        """Ask for /healthz ten times a second while the work lasts."""
        process, pings = ping(self.url), Pings()
        try:
            time.sleep(0.5)  # it is under way
            yield pings
        finally:
            pings.longest = float(process.communicate()[0])


def ping(url: str) -> subprocess.Popen:
    """Prints in the end the longest s that /healthz took, which answers from the event loop.

    In a process of its own: the visitors in this one would delay it.
    """
    command = [sys.executable, "-c", PING, f"{url}healthz"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextmanager
def attacked(folder: Path, changed: str = "", **variables: str) -> Iterator[Attacked]:
    """Start `app.py`, its uploads and its log in `folder`, and wait until its network is loaded.

    `changed` is run first, as to lower limits.
    """
    script, uploads, log = ROOT / "app.py", folder / "uploads", folder / "log.txt"
    if changed:
        start = 'runpy.run_path("app.py", run_name="__main__")'
        script = folder / "app.py"
        script.write_text(f'import runpy, sys\nsys.path.insert(0, "")\n{changed}\n{start}\n')
    with started(script, log=log, GRADIO_TEMP_DIR=str(uploads), **variables) as app:
        process, url, _ = app
        end = time.monotonic() + 60
        while megabytes("VmRSS", process.pid) < 300 and time.monotonic() < end:
            time.sleep(0.1)  # torch is on its way
        assert httpx.get(f"{url}healthz", timeout=30).text == "ok"
        yield Attacked(process.pid, url, uploads, log)
