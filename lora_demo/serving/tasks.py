"""What visitors ask for, as functions of files, so that any process or machine can do it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lora_demo.backbones.bank import style_features
from lora_demo.backbones.examples import ReadingProgress, read_examples
from lora_demo.backbones.features import Features, read_features
from lora_demo.backbones.models import FrozenModel, load_model
from lora_demo.errors import ImageError
from lora_demo.images.reading import LabelledImage
from lora_demo.lab import Result, judge, sweep
from lora_demo.lora.adapter import Adapter
from lora_demo.lora.cross_validation import HeldBack
from lora_demo.lora.evaluation import (
    Broken,
    Comparison,
    class_prototypes,
    compare,
    count_broken,
    count_classes_broken,
)
from lora_demo.lora.fitting import FitProgress, fit
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec


@dataclass(frozen=True)
class LabProgress:
    """How far one worker's share of the lab is."""

    number: int  # of the training that is under way, from 1
    spec: AdapterSpec  # of that training
    step: FitProgress | HeldBack | Result

    @property
    def finished(self) -> int:
        """How many trainings are done."""
        return self.number - (not isinstance(self.step, Result))


@dataclass(frozen=True)
class ForgettingReport:
    """What a LoRA changed that it should not touch."""

    groups: dict[str, Broken]  # pictures, by group; an index counts all that were given
    classes: Broken | None
    called: dict[str, dict[int, str]]  # by group and index: what the base model calls a picture

    @property
    def is_none(self) -> bool:
        return not any(broken.changed for broken in (*self.groups.values(), self.classes) if broken)


Step = (
    ReadingProgress
    | FitProgress
    | HeldBack
    | Result
    | LabProgress
    | Comparison
    | ForgettingReport
    | str
)


def train_and_evaluate(
    pictures: Sequence[LabelledImage],
    spec: AdapterSpec,
    settings: TrainingSettings | None,
    unrelated: Sequence[Path],
) -> Iterator[Step]:
    """Train, test fairly, and count what broke. No step holds features, which may be large."""
    model, with_pixels = load_model(spec.model_name), spec.recipe.reads == "pixels"
    for reading in read_examples(model, pictures, spec.class_names, with_pixels):
        yield replace(reading, features=None)
    assert reading.features  # the last progress has them
    for fitted in fit(model, reading.features, spec, settings):
        yield fitted
    others = read_unrelated(model, unrelated, with_pixels).values()
    yield from judge(model, reading.features, fitted, others)


def run_lab(
    pictures: Sequence[LabelledImage],
    specs: Sequence[AdapterSpec],
    unrelated: Sequence[Path],
) -> Iterator[Step]:
    """Read the pictures once, then train as each of the specs says."""
    model = load_model(specs[0].model_name)
    with_pixels = any(spec.recipe.reads == "pixels" for spec in specs)
    for reading in read_examples(model, pictures, specs[0].class_names, with_pixels):
        yield replace(reading, features=None)
    assert reading.features  # the last progress has them
    others = list(read_unrelated(model, unrelated, with_pixels).values())
    number = 1
    for step in sweep(model, reading.features, specs, others):
        yield LabProgress(number, specs[number - 1], step)
        number += isinstance(step, Result)


def compare_picture(
    path: Path, model_name: str, adapter: Adapter | None, strength: float | None = None
) -> Iterator[Comparison]:
    """Compare base and base + LoRA on one picture."""
    model = load_model(model_name)
    with_pixels = adapter is not None and adapter.spec.recipe.reads == "pixels"
    yield compare(model, read_features(model, path, with_pixels), adapter, strength)


def measure_forgetting(
    adapter: Adapter, strength: float | None, unrelated: Mapping[str, Sequence[Path]]
) -> Iterator[ForgettingReport]:
    """Count what a LoRA breaks at that strength, by default its own."""
    model, groups, called = load_model(adapter.spec.model_name), {}, {}
    for name, paths in unrelated.items():
        read = read_unrelated(model, paths, adapter.spec.recipe.reads == "pixels")
        broken, places = count_broken(read.values(), adapter, strength), list(read)
        changes = (replace(change, index=places[change.index]) for change in broken.changes)
        groups[name] = replace(broken, changes=tuple(changes))
        answers = {place: int(features.logits[0].argmax()) for place, features in read.items()}
        called[name] = {place: model.categories[answer] for place, answer in answers.items()}
    yield ForgettingReport(groups, count_classes_broken(model, adapter, strength), called)


def warm_up(model_name: str, unrelated: Sequence[Path]) -> Iterator[str]:
    """Load what the first lesson would wait for; yields the network's name."""
    model = load_model(model_name)
    class_prototypes(model)
    style_features(model)
    read_unrelated(model, unrelated, with_pixels=False)
    yield model.title


def is_lasting(step: Step) -> bool:
    """Whether this step must not be skipped; of the others only the newest matters."""
    inner = step.step if isinstance(step, LabProgress) else step
    return isinstance(inner, Result) or (isinstance(inner, FitProgress) and inner.done)


def read_unrelated(
    model: FrozenModel, paths: Sequence[Path], with_pixels: bool = True
) -> dict[int, Features]:
    """Read pictures, by their place in `paths`; bad files are left out."""
    found = {}
    for place, path in enumerate(paths):
        with suppress(ImageError):
            found[place] = read_features(model, path, with_pixels)
    return found
