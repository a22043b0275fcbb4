"""Thirty visitors at once: who waits how long, and whether anybody sees what is another's.

`python -m tests.benchmarks.load [--visitors 30] [--rounds 3] [--trainings 300]`;
EfficientNet-Lite0. Of the rounds the worst counts, and of the p95, which the machine's speed
changes by half, the median. Then ten visitors beside one hostile client, and without it.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from html import unescape
from pathlib import Path

import httpx
import torch
from PIL import Image

from lora_demo import load_adapter, load_model, read_features
from lora_demo.class_names import CATEGORIES
from lora_demo.images.reading import LabelledImage
from lora_demo.limits import MAX_STORED_BYTES
from lora_demo.lora.evaluation import compare
from lora_demo.lora.recipes import RECIPES, Placement
from lora_demo.lora.spec import AdapterSpec
from lora_demo.serving.tasks import train_and_evaluate
from tests.benchmarks.rows import Row, at_most, show
from tests.benchmarks.speed_app import ROOT, megabytes, started, watched
from tests.benchmarks.visit import Visit
from tests.conftest import DATA
from tests.support.stranger import ping

Serving = Callable[..., AbstractContextManager]
RESTLESS = ("stop", "stop", "close", "close", "reload")
LONG = {"placement": "pixels", "epochs": 1000}  # for those who stop, close or reload
LESSONS = 3  # of each visitor beside the hostile client
HONEST = 10
HOSTILE_SECONDS = 20
FEW = 13  # visitors that are measured one by one: the restless and eight
ALONE = """
import sys, time
from pathlib import Path
import torch
from tests.benchmarks.load import taught
torch.set_num_threads(int(sys.argv[2]))
folders = sorted(Path(sys.argv[1]).iterdir())
taught(folders[0]); print("ready", flush=True); sys.stdin.readline()
before = time.perf_counter()
for folder in folders[1:25]: taught(folder)
print(time.perf_counter() - before)
"""


def draw(folder: Path, count: int) -> list[Path]:
    """A folder for each visitor: five pictures that nobody else has, and one to try."""
    sources = sorted((DATA / "goldfish").glob("*.png"))
    sources.append(DATA / "goldfish" / "held_out" / "1.png")
    for number in range(count):
        own = folder / f"{number:03}"
        own.mkdir(parents=True)
        for place, source in enumerate(sources):
            with Image.open(source) as drawing:
                turned = drawing.convert("RGB").rotate(3 * number / count, fillcolor="white")
            turned.putpixel((0, 0), (number % 256, number // 256, place))
            turned.save(own / f"{number:03}-{place}.png")
    return sorted(folder.iterdir())


def word(folder: Path) -> str:
    """What its visitor teaches: a class of its own."""
    return CATEGORIES[31 * int(folder.name) % 1000]


def taught(folder: Path):
    """The same lesson without an app: the last step is its result."""
    spec = AdapterSpec("efficientnet_lite0", Placement.GUARDED, class_names=(word(folder),))
    pictures = [LabelledImage(path, word(folder)) for path in sorted(folder.iterdir())[:5]]
    *_, result = train_and_evaluate(pictures, spec, RECIPES[spec.placement].settings, ())
    return result


async def prepare(visit: Visit, folder: Path) -> str:
    """Everything before the click on Train; returns the secret."""
    secret = await visit.open()
    await add_pictures(visit, folder)
    return secret


async def add_pictures(visit: Visit, folder: Path) -> None:
    *pictures, to_try = sorted(folder.iterdir())
    for gallery, files in (("pictures", pictures), ("trial", [to_try])):
        uploaded = await visit.upload(files)
        before = visit.value("trial") if gallery == "trial" else []
        visit.put(gallery, [*before, *({"image": f, "caption": None} for f in uploaded)])
        await visit.do(gallery, "upload")
        await visit.do(gallery, "change")
    visit.put("class-name", word(folder))
    await visit.do("class-name", "change")


async def train(visit: Visit) -> tuple[float, float]:
    """Seconds from the click to the answers of the LoRA, and to the end of all that follows."""
    before, drawn = time.perf_counter(), visit.value("comparison")
    following = asyncio.create_task(visit.do("train", "click"))
    while visit.value("comparison") == drawn and not following.done():
        await asyncio.sleep(0.01)
    took = time.perf_counter() - before
    await following
    return took, time.perf_counter() - before


async def restless(visit: Visit, secret: str, act: str) -> float:
    """Begins a long training and then presses Stop, closes the page, or reloads it.

    Seconds from the click on Train until that is done.
    """
    for elem_id, value in LONG.items():
        visit.put(elem_id, value)
    before = time.perf_counter()
    training = asyncio.create_task(visit.do("train", "click"))
    while not any("Practising" in text for text in visit.seen) and not training.done():
        await asyncio.sleep(0.05)
    if act == "stop":
        await visit.do("stop", "click")
        await training
        assert any("Stopped" in text for text in visit.seen), visit.seen[-3:]
        return time.perf_counter() - before
    visit.close()
    training.cancel()
    if act == "reload":
        visit.session += "again"
        opened = asyncio.create_task(visit.open(secret))
        while not any("Welcome back" in text for text in visit.seen):
            await asyncio.sleep(0.05)
        await visit.do("stop", "click")
        await opened
    return time.perf_counter() - before


async def light(visit: Visit, over: asyncio.Event) -> list[float]:
    """Moves the dial of a trained LoRA all the while; seconds of each answer."""
    times, strength = [], 0.0
    while not over.is_set():
        strength = (strength + 0.05) % 2
        visit.put("strength", strength)
        before = time.perf_counter()
        await visit.do("strength", "input", "comparison")
        times.append(time.perf_counter() - before)
        await asyncio.sleep(0.2)
    return times


def check(visits: dict[Path, Visit], url: str) -> int:
    """How many visitors saw something of another's, or not what is theirs."""
    model, wrong = load_model("efficientnet_lite0"), 0
    for own, visit in visits.items():
        text = unescape(" ".join(visit.seen))
        others = [w for w in map(word, visits) if w != word(own) and f"“{w}”" in text]
        names = set(re.findall(r"\d{3}-\d\.png", str(visit.values)))
        expected = taught(own)
        saved = own.parent.parent / "lora.safetensors"
        saved.write_bytes(httpx.get(f"{url}gradio_api/file={visit.value('save')['path']}").content)
        adapter = load_adapter(saved, model)
        trial = read_features(model, sorted(own.iterdir())[5])
        same = compare(model, trial, adapter) == compare(model, trial, expected.adapter)
        curve = f"{expected.final_loss:.2f}" in text
        mine = {path.name for path in own.iterdir()}
        if others or not names <= mine or not same or not curve:
            print(f"{own.name}: saw {others}, {names - mine}, same {same}, curve {curve}")
            wrong += 1
    return wrong


def cores(folder: Path) -> float:
    """How much more two processes of one thread do than one process: from 1 to 2."""

    def run(count: int, threads: int) -> float:
        command = [sys.executable, "-c", ALONE, str(folder), str(threads)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        processes = [subprocess.Popen(command, **pipes) for _ in range(count)]
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return statistics.mean(float(process.communicate()[0]) for process in processes)

    return min(2.0, max(1.0, 2 * min(run(1, 1), run(1, 2)) / run(2, 1)))


async def one_by_one(url: str, folders: list[Path], visitors: int) -> float:
    """Seconds that the work of so many visitors takes, one after the other; measured on a few."""
    calm, others = folders[len(RESTLESS) :], folders[: len(RESTLESS)]
    took: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=600) as http:
        config = (await http.get("config")).json()
        for own in calm:
            visit = Visit(http, config)
            await prepare(visit, own)
            took.append((await train(visit))[1])
        seconds = (visitors - len(RESTLESS)) * statistics.mean(took[2:])  # two warm it up
        for act, own in zip(RESTLESS, others, strict=True):
            visit = Visit(http, config)
            secret = await prepare(visit, own)
            # what a closed page leaves would go on
            seconds += await restless(visit, secret, "stop" if act == "close" else act)
    return seconds


async def all_at_once(url: str, folders: list[Path], visitors: int) -> tuple[list[Row], float]:
    """Also the p95 of the seconds from click to result."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as http:
        config = (await http.get("config")).json()
        dial, over = Visit(http, config), asyncio.Event()
        await prepare(dial, folders[-1])
        await train(dial)
        visits = [Visit(http, config) for _ in range(visitors)]
        secrets = await asyncio.gather(*map(prepare, visits, folders))
        pings = ping(url)
        await asyncio.sleep(1)  # it is under way
        moving = asyncio.create_task(light(dial, over))
        calm = visits[len(RESTLESS) :]
        acts = map(restless, visits, secrets, RESTLESS)
        ended = await asyncio.gather(*acts, *map(train, calm))
        took = sorted(times[0] for times in ended[len(RESTLESS) :])
        over.set()
        longest = float(pings.communicate()[0])
        answers = sorted(await moving)
    waited = sum(any("before you" in text for text in visit.seen) for visit in visits)
    errors = [t for v in visits for t in v.seen if "note-bad" in t or "Error" in t]
    print(f"{waited} saw their place in line; errors: {errors[:3]}")
    wrong = check(dict(zip(folders[len(RESTLESS) :], calm, strict=False)), url)
    rows = [
        at_most(f"{visitors} visitors: saw what is another's, or not their own", wrong, 0),
        at_most(f"{visitors} visitors: errors", len(errors), 0),
        at_most("meanwhile: p95 s until the dial answers", answers[int(0.95 * len(answers))], 1),
        at_most("meanwhile: longest s of a ping", longest, 0.2),
    ]
    return rows, took[int(0.95 * len(took))]


async def in_a_row(
    url: str, folders: list[Path], count: int, process: int, visitors: int
) -> list[Row]:
    """The visitors in turns, each time with new pictures; they keep up to 48 LoRAs each."""
    after: dict[int, float] = {}
    async with httpx.AsyncClient(base_url=url, timeout=600) as http:
        config = (await http.get("config")).json()
        visits = [Visit(http, config) for _ in range(visitors)]
        for visit in visits:
            await visit.open()
        for number in range(1, count + 1):
            visit = visits[number % len(visits)]
            await add_pictures(visit, folders[number - 1])
            await train(visit)
            if number in (20, count) or not number % 100:
                after[number] = megabytes("VmRSS", process)
                print(f"after {number} trainings: {after[number]:.0f} MB", flush=True)
    name = f"MB after {count} trainings of {visitors} visitors / after 20"
    return [at_most(name, after[count], 1.05, after[20])]


async def lessons(url: str, folders: list[Path], visitors: int) -> tuple[list[float], int]:
    """Seconds from each click to its result, and the errors, of visitors with several lessons."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as http:
        visits = [Visit(http, (await http.get("config")).json()) for _ in range(visitors)]

        async def visit_it(number: int, visit: Visit) -> list[float]:
            await visit.open()
            took = []
            for own in folders[number::visitors][:LESSONS]:
                await add_pictures(visit, own)
                took.append((await train(visit))[0])
            return took

        took = await asyncio.gather(*(visit_it(n, visit) for n, visit in enumerate(visits)))
    errors = [t for v in visits for t in v.seen if "note-bad" in t or "Error" in t]
    print(f"errors: {errors[:3]}")
    return sorted(seconds for times in took for seconds in times), len(errors)


def beside_a_hostile_client(serving: Serving, folders: list[Path], folder: Path) -> list[Row]:
    """Ten visitors, without it and beside it; what the app takes meanwhile."""
    with serving("calm") as (_, url, _):
        alone, _ = asyncio.run(lessons(url, folders, HONEST))
    disk, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(1):
            with suppress(OSError):  # a file went meanwhile
                sizes = [path.stat().st_size for path in (folder / "hostile").rglob("*.*")]
                disk.append(sum(sizes) / 1e6)

    command = [sys.executable, "-m", "tests.benchmarks.hostile_client"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with serving("hostile") as (process, url, _), watched(process.pid) as peaks:
        hostile = subprocess.Popen([*command, url], **pipes)
        hostile.stdout.readline()
        time.sleep(HOSTILE_SECONDS)  # it is in full swing
        looking = threading.Thread(target=look)
        looking.start()
        beside, errors = asyncio.run(lessons(url, folders, HONEST))
        over.set()
        looking.join()
        print(f"the hostile client was answered: {hostile.communicate()[0].strip()}")
    p95s = [times[int(0.95 * len(times))] for times in (beside, alone)]
    name = f"{HONEST} visitors beside a hostile client"
    return [
        at_most(f"{name}: errors", errors, 0),
        at_most(f"{name}: p95 s from click to result / without it", p95s[0], 2, p95s[1]),
        at_most(f"{name}: MB of memory at most", peaks["all"], 3000),
        at_most(f"{name}: MB on disk at most", max(disk), MAX_STORED_BYTES / 1e6),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30, help="more than five")
    parser.add_argument("--rounds", type=int, default=3, help="an odd number")
    parser.add_argument("--trainings", type=int, default=300)
    parser.add_argument("--only-hostile", action="store_true")
    parser.add_argument("--workers", type=int, help="for the app: Ray actors; none by default")
    asked = parser.parse_args()
    options = ("--workers", str(asked.workers)) if asked.workers else ()
    torch.set_num_threads(max(1, os.cpu_count() // (asked.workers or 1)))  # as many as they have
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pictures = folder / "pictures"
        folders = draw(pictures, max(asked.visitors + 1, FEW, asked.trainings, HONEST * LESSONS))

        def serving(name: str, *more: str) -> AbstractContextManager:
            return started(ROOT / "app.py", *more, GRADIO_TEMP_DIR=str(folder / name))

        def alone() -> float:
            """What the p95 is measured by: before and after, as the machine's speed changes."""
            with serving("one", *options) as app:
                seconds = asyncio.run(one_by_one(app[1], folders[:FEW], asked.visitors))
            several = cores(pictures)
            print(f"one by one {seconds:.2f} s; the cores can do {several:.2f} at once")
            return seconds / several

        hostile = beside_a_hostile_client(serving, folders, folder)
        if asked.only_hostile:
            return show(hostile)
        name = f"{asked.visitors} visitors: p95 s from click to result / one by one"
        rounds, waits, before = [], [], alone()
        for number in range(asked.rounds):
            with serving(f"many-{number}", *options) as app:
                rows, p95 = asyncio.run(all_at_once(app[1], folders, asked.visitors))
            after = alone()
            rounds.append(rows)
            waits.append(at_most(name, p95, 1.5, (before + after) / 2))
            print(f"{p95:.2f} s are {waits[-1].ratio:.2f} of one by one", flush=True)
            before = after
        rows = [max(same, key=lambda row: row.ours) for same in zip(*rounds, strict=True)]
        rows.append(sorted(waits, key=lambda row: row.ratio)[len(waits) // 2])
        for visitors in (1, 20) if asked.trainings else ():
            with serving(f"row-{visitors}") as (process, url, _):
                row = in_a_row(url, folders, asked.trainings, process.pid, visitors)
                rows += asyncio.run(row)
    show([*rows, *hostile])


if __name__ == "__main__":
    main()
