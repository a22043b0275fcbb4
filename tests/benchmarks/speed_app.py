"""Speed and memory of the app: start, dial, plot. Each start is a process of its own."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from gradio_client import Client, handle_file

from lora_demo import AdapterSpec, Placement, TrainingSettings, fit, load_model, read_feature_set
from lora_demo.serving.session import Session
from lora_demo.ui.events import throttle
from lora_demo.ui.render.charts import loss_plot
from lora_demo.ui.steps.comparison import _compare
from tests.benchmarks.machine import seconds
from tests.benchmarks.rows import Row, at_most
from tests.benchmarks.speed_training import EPOCHS, GOLDFISH, Lesson

ROOT = Path(__file__).parents[2]
EMPTY_APP = "import gradio\nwith gradio.Blocks() as demo:\n    pass\ndemo.launch()\n"
PLAIN_LOOP = """
import sys
from pathlib import Path
import torch
from PIL import Image
from torchvision.models import VGG19_Weights, vgg19
from tests.support.plain import PlainLora, plain_losses
network = vgg19()
network.load_state_dict(torch.load(sys.argv[1]))
network.eval().requires_grad_(False)
preprocess = VGG19_Weights.IMAGENET1K_V1.transforms()
x = torch.stack([preprocess(Image.open(p).convert("RGB")) for p in Path(sys.argv[2]).glob("*.png")])
list(plain_losses(network, PlainLora(x[0].numel(), 1000), x, torch.ones(len(x)).long(), 3))
print("done", flush=True)
sys.stdin.read()
"""
IMPORTS = """
import gradio, torch, torchvision, timm
from tests.benchmarks.speed_app import megabytes
print(megabytes("VmHWM"))
"""


def megabytes(field: str, process: int | str = "self") -> float:
    """Of /proc: VmHWM, the most that was resident, mapped files included; RssAnon, private."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1000


@contextmanager
def watched(process: int) -> Iterator[dict[str, float]]:
    """The peaks of a process while the work lasts: `all`, and `private`, looked at 50 times a s."""
    peaks, over = {"all": 0.0, "private": 0.0}, threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            peaks["all"] = megabytes("VmHWM", process)
            peaks["private"] = max(peaks["private"], megabytes("RssAnon", process))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def run_python(source: str, *arguments: object) -> str:
    command = [sys.executable, "-c", source, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@contextmanager
def started(
    script: Path, *arguments: str, folder: Path = ROOT, log: Path | None = None, **variables: str
) -> Iterator[tuple[subprocess.Popen, str, float]]:
    """The process, its address, and the seconds until its page answered.

    It is started in `folder`; what it prints goes to the file `log`, if there is one.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", **variables}
    before = time.perf_counter()
    command = [sys.executable, script, *arguments]
    with open(log or os.devnull, "ab") as file:
        printed = {"stdout": file, "stderr": file}
        process = subprocess.Popen(command, cwd=folder, env=os.environ | settings, **printed)
    try:
        while process.poll() is None:
            try:
                urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                break
            except OSError:
                time.sleep(0.01)
        else:
            raise RuntimeError(f"{script} ended before its page answered")
        yield process, f"http://127.0.0.1:{port}/", time.perf_counter() - before
    finally:
        process.kill()
        process.wait()


def start(lesson: Lesson) -> list[Row]:
    empty = lesson.folder / "empty.py"
    empty.write_text(EMPTY_APP)
    taken: dict[Path, list[float]] = {empty: [], ROOT / "app.py": []}
    for _ in range(5):
        for script, times in taken.items():
            with started(script) as (_, _, until_answer):
                times.append(until_answer)
    theirs, ours = (sorted(times)[2] for times in taken.values())
    return [
        at_most("python app.py: s until the page answers, ours / an empty app", ours, 1.3, theirs)
    ]


def memory(lesson: Lesson) -> list[Row]:
    limit = float(run_python(IMPORTS)) + lesson.file.stat().st_size / 1e6
    command = [sys.executable, "-c", PLAIN_LOOP, lesson.file, GOLDFISH]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as loop:
        with watched(loop.pid) as plain:
            loop.stdout.readline()  # it is done, and waits
        loop.stdin.close()
    with started(ROOT / "app.py", LORA_DEMO_VGG19=str(lesson.file)) as (process, address, _):
        job = {"base_model": "vgg19", "placement": "pixels", "rank": 10, "epochs": EPOCHS}
        files = [handle_file(picture.path) for picture in lesson.pictures]
        with watched(process.pid) as ours:
            Client(address, verbose=False).predict(files, "goldfish", **job, api_name="/train")
    name, total = "memory, a visitor training on VGG-19", ours["all"]
    return [
        Row(
            f"{name}: MB (peer: imports, weights)", total, limit, total / limit, 1200, total <= 1200
        ),
        at_most(f"{name}: ours / the plain loop's", total, 0.5, plain["all"]),
        at_most(
            f"{name}: private, ours / the plain loop's", ours["private"], 0.5, plain["private"]
        ),
    ]


def dial(lesson: Lesson) -> list[Row]:
    model = load_model("efficientnet_lite0")
    features = read_feature_set(model, lesson.pictures)
    *_, progress = fit(model, features, AdapterSpec(model.name, Placement.GUARDED))
    runs: list[int] = []
    handle = model.trunk.register_forward_pre_hook(lambda *_: runs.append(1))
    path, session = str(lesson.pictures[0].path), Session(adapter=progress.adapter)
    taken = seconds(lambda: _compare(path, session, model.name, 0.7), 21)
    handle.remove()
    return [
        at_most("strength dial: s of the server from event to new top-5", taken, 0.03),
        at_most("strength dial: runs of the trunk", len(runs), 0),
    ]


def plot(lesson: Lesson) -> list[Row]:
    model = load_model("efficientnet_lite0")
    features = read_feature_set(model, lesson.pictures)
    before, shown, largest = time.perf_counter(), 0, 0
    spec = AdapterSpec(model.name, Placement.PIXELS)
    for progress in throttle(fit(model, features, spec, TrainingSettings(1000))):
        shown += 1
        largest = max(largest, len(loss_plot(progress.points, progress.settings.epochs)))
    rate = shown / (time.perf_counter() - before)
    return [
        at_most("live plot, 1,000 epochs: updates a second", rate, 5),
        at_most("live plot, 1,000 epochs: bytes of the largest update", largest, 5000),
    ]
