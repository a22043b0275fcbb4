"""Speed of reading and training, beside the loop that runs the frozen network for every batch."""

import copy
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torchvision.models import vgg19

from lora_demo import (
    AdapterSpec,
    FrozenModel,
    LabelledImage,
    Placement,
    TrainingSettings,
    fit,
    leave_one_out,
    load_model,
    new_adapter,
    open_image,
    read_class_folder,
    read_feature_set,
    read_features,
    train,
)
from lora_demo.backbones.models import _load
from lora_demo.backbones.weights import VGG19_FILE
from lora_demo.class_names import CATEGORIES
from lora_demo.lora.closed_form import _known
from tests.benchmarks.machine import bytes_per_second, seconds, share_of_peak
from tests.benchmarks.rows import Row, at_least, at_most
from tests.support.plain import PlainLora, peft_losses, plain_losses

GOLDFISH = Path(__file__).parents[2] / "data" / "goldfish"
EPOCHS, PLAIN_EPOCHS = 100, 5
VGG19_FLOP = 39.3e9  # a picture, a multiplication and an addition counted as two
PIXELS = AdapterSpec("vgg19", Placement.PIXELS, 10)


@dataclass
class Lesson:
    """VGG-19's architecture with random weights, and the five goldfish; made when first asked."""

    folder: Path

    @cached_property
    def file(self) -> Path:
        torch.manual_seed(0)
        path = self.folder / VGG19_FILE
        torch.save(vgg19().state_dict(), path)
        return path

    @cached_property
    def network(self) -> nn.Module:
        """As torchvision gives it."""
        network = vgg19()
        network.load_state_dict(torch.load(self.file, weights_only=True))
        return network.eval().requires_grad_(False)

    @cached_property
    def model(self) -> FrozenModel:
        return load_model("vgg19", self.file)

    @cached_property
    def pictures(self) -> list[LabelledImage]:
        return read_class_folder(GOLDFISH, CATEGORIES)

    @cached_property
    def x(self) -> torch.Tensor:
        return torch.stack([self.model.preprocess(open_image(p.path)) for p in self.pictures])

    @cached_property
    def labels(self) -> torch.Tensor:
        return torch.full((len(self.pictures),), CATEGORIES.index("goldfish"))


def timed(losses: Iterator[float]) -> tuple[list[float], float]:
    """All losses, and seconds an epoch: the median, without the first, which warms up."""
    values, taken, before = [], [], time.perf_counter()
    for loss in losses:
        now = time.perf_counter()
        values.append(loss)
        taken.append(now - before)
        before = now
    return values, sorted(taken[1:])[len(taken[1:]) // 2]


def timed_epochs(losses: Iterator[float], count: int, taken: list[float]) -> list[float]:
    """The next losses; the seconds of each go to `taken`."""
    values = []
    for _ in range(count):
        before = time.perf_counter()
        values.append(next(losses))
        taken.append(time.perf_counter() - before)
    return values


def pixels_epoch(lesson: Lesson) -> list[Row]:
    """In turns, as the machine's pace changes: an epoch of theirs, twenty of ours, a copy."""
    features = read_feature_set(lesson.model, lesson.pictures)
    lora = PlainLora(lesson.x[0].numel(), 1000)
    theirs = plain_losses(lesson.network, lora, lesson.x, lesson.labels, PLAIN_EPOCHS)
    steps = fit(lesson.model, features, PIXELS, TrainingSettings(EPOCHS))
    ours = (step.points[-1].loss for step in steps)
    plain_values, plain, values, quick, copies = [], [], [], [], []
    for _ in range(PLAIN_EPOCHS):
        plain_values += timed_epochs(theirs, 1, plain)
        values += timed_epochs(ours, EPOCHS // PLAIN_EPOCHS, quick)
        copies.append(bytes_per_second())
    difference = max(abs(a - b) for a, b in zip(plain_values, values, strict=False))
    traffic = 8 * new_adapter(PIXELS, lesson.model).lora.A.nbytes  # A, gradient, two moments
    epoch, memory = median(quick), traffic / median(copies)
    return [
        at_least("VGG-19, pixels: s per epoch, plain loop / ours", epoch, median(plain), 350),
        at_most("VGG-19, pixels: s per epoch / s that its memory traffic needs", epoch, 2, memory),
        at_most("VGG-19, pixels: nats between the losses of both, at most", difference, 1e-4),
    ]


def pixels_first(lesson: Lesson) -> list[Row]:
    """From dropped files that nobody has read, then with other ranks; between them the loop."""
    lora = PlainLora(lesson.x[0].numel(), 1000)
    theirs = plain_losses(lesson.network, lora, lesson.x, lesson.labels, PLAIN_EPOCHS)
    next(theirs)  # warms up
    plain, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        dropped = []
        for picture in lesson.pictures:  # trailing bytes make a file new to the memory
            path = Path(shutil.copy(picture.path, folder))
            path.write_bytes(path.read_bytes() + str(time.time()).encode())
            dropped.append(LabelledImage(path, picture.label))
        for rank in (10, 4, 8, 6):
            before = time.perf_counter()
            next(theirs)
            between = time.perf_counter()
            spec = AdapterSpec("vgg19", Placement.PIXELS, rank)
            list(train(lesson.model, dropped, spec, TrainingSettings(EPOCHS)))
            plain.append(EPOCHS * (between - before))
            ours.append(time.perf_counter() - between)
    first, *again = ours
    name = "VGG-19, pixels: s of 100 epochs"
    return [
        at_least(f"{name}, from new files, plain loop / ours", first, median(plain), 60),
        at_least(f"{name}, with another rank", median(again), median(plain), 300),
    ]


def head_epoch(lesson: Lesson) -> list[Row]:
    network = copy.deepcopy(lesson.network)
    _, peft = timed(peft_losses(network, "classifier.6", lesson.x, lesson.labels, PLAIN_EPOCHS))
    features = read_feature_set(lesson.model, lesson.pictures)
    steps = fit(lesson.model, features, AdapterSpec("vgg19", Placement.HEAD, 10))
    _, ours = timed(step.points[-1].loss for step in steps)
    return [at_least("VGG-19, head: s per epoch, PEFT in the plain loop / ours", ours, peft, 1000)]


def guarded(lesson: Lesson) -> list[Row]:
    """After the features: training, leave-one-out, strength; nothing of the head remembered."""
    rows = []
    for model, target in ((load_model("efficientnet_lite0"), 0.15), (lesson.model, 1.0)):
        features = read_feature_set(model, lesson.pictures)
        spec = AdapterSpec(model.name, Placement.GUARDED)

        def train_once(model=model, features=features, spec=spec) -> None:
            _known.cache_clear()
            *_, progress = fit(model, features, spec)
            *_, held_back = leave_one_out(model, features, spec)
            progress.adapter.at_strength(held_back.strength)

        name = f"{model.title}, guarded: s for training, leave-one-out and strength"
        rows.append(at_most(name, seconds(train_once), target))
    return rows


@torch.no_grad()
def trunk_pass(lesson: Lesson) -> list[Row]:
    """As it is read: one picture at a time, float32, torchvision's own numbers to the last bit."""
    whole = nn.Sequential(lesson.model.trunk, lesson.model.classifier)
    flop = len(lesson.x) * VGG19_FLOP
    share = share_of_peak(lambda: [whole(picture[None]) for picture in lesson.x], flop)
    exact = all(torch.equal(whole(x[None]), lesson.network(x[None])) for x in lesson.x)
    return [
        Row(
            "VGG-19, a pass over 5 pictures: share of the matrix-product peak",
            share,
            None,
            None,
            0.7,
            share >= 0.7,
        ),
        Row(
            "VGG-19, a pass: logits are torchvision's, bit for bit (1: yes)",
            float(exact),
            None,
            None,
            1,
            exact,
        ),
    ]


def load(lesson: Lesson) -> list[Row]:
    def torchvisions_way() -> None:
        network = vgg19()
        network.load_state_dict(torch.load(lesson.file, weights_only=True))

    def our_way() -> None:
        _load.cache_clear()
        load_model("vgg19", lesson.file)

    theirs = seconds(torchvisions_way, 3)
    return [
        at_least("load_model(“vgg19”): s, torchvision's way / ours", seconds(our_way), theirs, 50)
    ]


@torch.no_grad()
def lora_cost(lesson: Lesson) -> list[Row]:
    rows = []
    cases = (lesson.model, Placement.PIXELS), (load_model("efficientnet_lite0"), Placement.GUARDED)
    for model, placement in cases:
        features = read_features(model, lesson.pictures[0].path)
        adapter = new_adapter(AdapterSpec(model.name, placement, 10), model)
        x = features.pixels.view(1, 3, model.input_px, model.input_px)
        base = seconds(lambda model=model, x=x: model.classifier(model.trunk(x)), 15)
        lora = seconds(lambda a=adapter, f=features: a.delta(a.inputs(f), 1.0), 15)
        name = f"{model.title}, {placement.value}: s of LoRA / s of the base model's pass"
        rows.append(at_most(name, lora, 0.01, base))
    return rows
