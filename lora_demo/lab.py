"""Experiments: what a training learned, what it broke and what it cost, over ranks and recipes."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lora_demo.adapters import Adapter
from lora_demo.backbones import FrozenModel
from lora_demo.features import Features, FeatureSet
from lora_demo.forgetting import ON_HEAD_INPUT, Broken, class_prototypes, count_broken
from lora_demo.leave_one_out import HeldBack, Score, leave_one_out
from lora_demo.specs import AdapterSpec, Placement, Size, adapter_size
from lora_demo.training import FitProgress, fit

RANKS = (1, 2, 4, 8, 16, 32)
CSV_COLUMNS = (
    "base_model",
    "recipe",
    "rank",
    "seed",
    "taught",
    "pictures",
    "trainable_numbers",
    "file_bytes",
    "seconds",
    "final_loss",
    "strength",
    "hidden_recognised",
    "hidden_recognised_base",
    "hidden_total",
    "unrelated_changed",
    "unrelated_captured",
    "unrelated_total",
    "classes_changed",
)


@dataclass(frozen=True)
class Result:
    """One training, judged. The adapter answers at the strength that was judged."""

    adapter: Adapter
    pictures: int
    size: Size
    seconds: float  # of the training alone
    final_loss: float  # nats
    base: Score  # of the hidden pictures; 0 of 0 where there was but one picture
    adapted: Score
    pictures_broken: Broken  # of the unrelated pictures
    classes_broken: Broken | None  # of the prototypes; None where the placement has none


def count_classes_broken(
    model: FrozenModel, adapter: Adapter, strength: float | None = None
) -> Broken | None:
    """Of the prototypes of all classes but the taught ones; None where the adapter reads pixels."""
    if adapter.spec.placement not in ON_HEAD_INPUT:
        return None
    return count_broken([class_prototypes(model)], adapter, strength)


def judge(
    model: FrozenModel, trained: FitProgress, unrelated: Iterable[Features]
) -> Iterator[HeldBack | Result]:
    """Leave-one-out, which sets the strength, then what broke: at last the result."""
    adapter, features = trained.adapter, trained.features
    base = adapted = Score(0, 0)
    for held_back in leave_one_out(model, features, trained.spec, trained.settings):
        yield held_back
        base, adapted = held_back.base, held_back.adapted
        adapter.set_strength(held_back.strength)
    yield Result(
        adapter,
        len(features.labels),
        adapter_size(adapter.spec, model),
        trained.points[-1].seconds,
        trained.points[-1].loss,
        base,
        adapted,
        count_broken(unrelated, adapter),
        count_classes_broken(model, adapter),
    )


def sweep(
    model: FrozenModel,
    features: FeatureSet,
    spec: AdapterSpec,
    placements: Sequence[Placement],
    unrelated: Sequence[Features],
    ranks: Sequence[int] = RANKS,
) -> Iterator[FitProgress | HeldBack | Result]:
    """The same training with every placement and rank, all else as in `spec`.

    Each has its placement's own settings. The steps between two results come, too, so that it can
    be stopped at each.
    """
    for placement in placements:
        for rank in ranks:
            one = replace(spec, placement=placement, rank=rank, strength=None)
            for progress in fit(model, features, one):
                yield progress
            yield from judge(model, progress, unrelated)


def to_csv(results: Iterable[Result]) -> str:
    """One line a result, for spreadsheets; the header names the columns and their units."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    for result in results:
        spec, broken, classes = result.adapter.spec, result.pictures_broken, result.classes_broken
        writer.writerow(
            [
                spec.model_name,
                spec.placement.value,
                spec.rank,
                spec.seed,
                " + ".join(spec.class_names),
                result.pictures,
                result.size.trainable_parameters,
                result.size.file_bytes,
                f"{result.seconds:.3f}",
                f"{result.final_loss:.4f}",
                f"{result.adapter.strength:.2f}",
                result.adapted.correct,
                result.base.correct,
                result.adapted.total,
                broken.changed,
                broken.captured,
                broken.total,
                "" if classes is None else classes.changed,
            ]
        )
    return file.getvalue()
