"""Long work as functions of files: what a visitor asks for, so that it can be done anywhere."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lora_demo.backbones import FrozenModel, load_model
from lora_demo.cross_validation import HeldBack
from lora_demo.errors import ImageError
from lora_demo.features import Features, read_features
from lora_demo.images import LabelledImage
from lora_demo.lab import Result, judge, sweep
from lora_demo.specs import RANKS, AdapterSpec, Placement, TrainingSettings
from lora_demo.training import FitProgress, read_examples, train


@dataclass(frozen=True)
class Experiment:
    """How far the lab is."""

    number: int  # of the training that is under way, from 1
    total: int
    spec: AdapterSpec  # of that training
    step: FitProgress | HeldBack | Result


Step = FitProgress | HeldBack | Result | Experiment


def teach(
    pictures: Sequence[LabelledImage],
    spec: AdapterSpec,
    settings: TrainingSettings | None,
    unrelated: Sequence[Path],
) -> Iterator[Step]:
    """A training, the fair test, and what broke; no step holds features, which may be large."""
    model = load_model(spec.model_name)
    for progress in train(model, pictures, spec, settings):
        yield replace(progress, features=None)
    with_pixels = spec.placement is Placement.PIXELS
    yield from judge(model, progress, read_others(model, unrelated, with_pixels).values())


def experiment(
    pictures: Sequence[LabelledImage],
    spec: AdapterSpec,
    placements: Sequence[Placement],
    unrelated: Sequence[Path],
) -> Iterator[Step]:
    """The lab: the pictures are read once, then trained with every placement and rank."""
    model = load_model(spec.model_name)
    with_pixels = Placement.PIXELS in placements
    for progress in read_examples(model, pictures, spec.class_names, with_pixels):
        yield replace(progress, features=None)
    features = progress.features
    others = list(read_others(model, unrelated, with_pixels).values())
    number, total = 1, len(placements) * len(RANKS)
    for step in sweep(model, features, spec, placements, others):
        if isinstance(step, FitProgress):
            spec, step = step.spec, replace(step, features=None)
        yield Experiment(number, total, spec, step)
        number += isinstance(step, Result)


def is_lasting(step: Step) -> bool:
    """Whether something is lost if nobody sees this step; of the others the newest will do."""
    inner = step.step if isinstance(step, Experiment) else step
    if isinstance(inner, FitProgress):
        return inner.adapter is not None and inner.done
    return isinstance(inner, Result)


def read_others(
    model: FrozenModel, paths: Sequence[Path], with_pixels: bool = True
) -> dict[Path, Features]:
    """What the frozen network makes of pictures; files that cannot be read are left out."""
    found = {}
    for path in paths:
        with suppress(ImageError):
            found[path] = read_features(model, path, with_pixels)
    return found
