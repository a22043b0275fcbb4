"""What many pictures and classes cost: EfficientNet-Lite0, `guarded`, with the fair test."""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from lora_demo import (
    AdapterSpec,
    FrozenModel,
    LabelledImage,
    Placement,
    fit,
    leave_one_out,
    load_model,
    read_examples,
)
from tests.benchmarks.rows import Row, at_most
from tests.benchmarks.speed_app import ROOT, megabytes, run_python
from tests.benchmarks.speed_training import Lesson

STEPS = (5, 1), (50, 10), (500, 50), (1000, 50)  # pictures, classes
CLASSES = (1, 10, 50)
PICTURE_PX = 640


def growth(_: Lesson) -> list[Row]:
    script = "from tests.benchmarks.growth import learn_many; learn_many({}, {})"
    runs = [json.loads(run_python(script.format(*step))) for step in STEPS]
    five, fifty, half, large = runs
    added = [run["megabytes"] - five["megabytes"] for run in (half, large)]
    one, ten, many = half["fits"]
    name = "1,000 pictures of 50 classes"
    return [
        at_most(f"{name}: s in all", large["seconds"], 90),
        at_most(f"{name}: MB at the peak", large["megabytes"], 2000),
        at_most(f"{name}: s of the longest silence", large["silence"], 5),
        at_most(f"{name}: s / 20 times those of 50", large["seconds"], 1.3, 20 * fifty["seconds"]),
        at_most(f"{name}: s / twice those of 500", large["seconds"], 1.3, 2 * half["seconds"]),
        at_most(f"{name}: MB more than 5 / twice those of 500", added[1], 1.3, 2 * added[0]),
        at_most("500 pictures: s of fitting 10 classes / 10 times 1", ten, 1, 10 * one),
        at_most("500 pictures: s of fitting 50 classes / 50 times 1", many, 1, 50 * one),
    ]


def learn_many(count: int, classes: int) -> None:
    """Prints seconds, the longest time without progress, memory, and seconds of fitting alone."""
    model = load_model("efficientnet_lite0")
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw(Path(folder), count, classes, model)
        began = told = time.perf_counter()
        silence = 0.0
        for learned_from in learn(model, pictures):
            features = learned_from
            now = time.perf_counter()
            silence, told = max(silence, now - told), now
        seconds = told - began
        peak = megabytes("VmHWM")
    fits = []
    for number in CLASSES:
        labelled = replace(features, labels=torch.arange(count) * number // count)
        before = time.perf_counter()
        list(fit(model, labelled, AdapterSpec(model.name, Placement.GUARDED)))
        fits.append(time.perf_counter() - before)
    result = {"seconds": seconds, "silence": silence, "megabytes": peak, "fits": fits}
    print(json.dumps(result))


def learn(model: FrozenModel, pictures: list[LabelledImage]) -> Iterator:
    """What is learned from, at every step of the training and of the fair test."""
    names = tuple(dict.fromkeys(picture.label for picture in pictures))
    spec = AdapterSpec(model.name, Placement.GUARDED, class_names=names)
    for reading in read_examples(model, pictures, names):
        yield reading.features
    for _ in fit(model, reading.features, spec):
        yield reading.features
    for _ in leave_one_out(model, reading.features, spec):
        yield reading.features


def draw(folder: Path, count: int, classes: int, model: FrozenModel) -> list[LabelledImage]:
    """Parts of the project's drawings, turned: different files of about 30 kB each."""
    drawings = [Image.open(path).convert("RGB") for path in sorted(ROOT.glob("data/*/*.png"))]
    generator = random.Random(0)
    pictures = []
    for number in range(count):
        kind = number * classes // count
        drawing = drawings[kind % len(drawings)].rotate(generator.uniform(-20, 20))
        part = drawing.width * generator.uniform(0.6, 0.9)
        x, y = (generator.uniform(0, side - part) for side in drawing.size)
        path = folder / f"{number}.jpg"
        size = PICTURE_PX, PICTURE_PX
        drawing.resize(size, box=(x, max(y, 0), x + part, min(y + part, drawing.height))).save(path)
        pictures.append(LabelledImage(path, model.categories[17 * kind]))
    return pictures
