"""LabStep: what a training learned, what it broke and what it cost, over ranks and recipes."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lora_demo.backbones.features import Features, FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.lora.adapter import Adapter
from lora_demo.lora.cross_validation import HeldBack, Score, leave_one_out
from lora_demo.lora.evaluation import Broken, count_broken, count_classes_broken
from lora_demo.lora.fitting import FitProgress, fit
from lora_demo.lora.recipes import Placement
from lora_demo.lora.spec import CORRECTIONS, RANKS, AdapterSpec, Size, adapter_size

NOTHING = Score(0, 0)


@dataclass(frozen=True)
class Result:
    """One training, judged. The adapter answers at the strength that was judged."""

    adapter: Adapter
    pictures: int
    size: Size
    seconds: float  # of the training, without the tests
    final_loss: float  # nats
    test: HeldBack | None  # None if nothing could be hidden
    pictures_broken: Broken  # of the unrelated pictures
    classes_broken: Broken | None  # of the prototypes; None if the recipe has none

    @property
    def base(self) -> Score:  # of the hidden pictures; 0 of 0 if there was only one picture
        return self.test.base if self.test else NOTHING

    @property
    def adapted(self) -> Score:
        return self.test.adapted if self.test else NOTHING

    @property
    def left_alone(self) -> Score:  # of the hidden corrections
        return self.test.left_alone if self.test else NOTHING


def judge(
    model: FrozenModel,
    features: FeatureSet,
    trained: FitProgress,
    unrelated: Iterable[Features],
) -> Iterator[HeldBack | Result]:
    """Test fairly, which finds the strength, then count what broke; yield the result at last."""
    adapter = trained.adapter
    test = None
    for test in leave_one_out(model, features, trained.spec, trained.settings):
        yield test
    if test:
        adapter = adapter.at_strength(test.strength)
    pictures = int(features.is_example.sum())
    yield Result(
        adapter,
        pictures,
        adapter_size(adapter.spec, model, pictures),
        trained.points[-1].seconds,
        trained.points[-1].loss,
        test,
        count_broken(unrelated, adapter),
        count_classes_broken(model, adapter),
    )


def variants(
    spec: AdapterSpec,
    placements: Sequence[Placement],
    ranks: Sequence[int] = RANKS,
    corrections: int = 0,
) -> list[AdapterSpec]:
    """Combine every placement with every rank, and, at the rank of `spec`, with fewer corrections.

    There are so many `corrections`; all of them teach where the rank varies. Each finds its own
    strength; the rest is as in `spec`.
    """
    fewer = [count for count in CORRECTIONS if count < corrections]
    return [
        replace(spec, placement=placement, rank=rank, strength=None, corrections=count)
        for placement in placements
        for rank, count in [
            *((rank, corrections) for rank in ranks),
            *((spec.rank, count) for count in fewer),
        ]
    ]


def sweep(
    model: FrozenModel,
    features: FeatureSet,
    specs: Sequence[AdapterSpec],
    unrelated: Sequence[Features],
) -> Iterator[FitProgress | HeldBack | Result]:
    """Train and judge one spec after the other, each with its recipe's own settings.

    Yields the steps between two results, too, so that it can be stopped at each.
    """
    for spec in specs:
        for progress in fit(model, features, spec):
            yield progress
        yield from judge(model, features, progress, unrelated)


def to_csv(results: Sequence[Result]) -> str:
    """Write a header and one line a result, for spreadsheets."""
    rows = [_row(result) for result in results]
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _row(result: Result) -> dict[str, object]:
    spec, broken, classes = result.adapter.spec, result.pictures_broken, result.classes_broken
    return {
        "base_model": spec.model_name,
        "recipe": spec.placement.value,
        "rank": spec.rank,
        "seed": spec.seed,
        "taught": " + ".join(spec.class_names),
        "pictures": result.pictures,
        "corrections": spec.corrections,
        "trainable_numbers": result.size.trainable_parameters,
        "file_bytes": result.size.file_bytes,
        "seconds": f"{result.seconds:.3f}",
        "final_loss_nats": f"{result.final_loss:.4f}",
        "strength": f"{result.adapter.strength:.2f}",
        "hidden_recognised": result.adapted.correct,
        "hidden_recognised_base": result.base.correct,
        "hidden_total": result.adapted.total,
        "corrections_left_alone": result.left_alone.correct,
        "corrections_hidden": result.left_alone.total,
        "unrelated_changed": broken.changed,
        "unrelated_captured": broken.captured,
        "unrelated_total": broken.total,
        "classes_changed": "" if classes is None else classes.changed,
    }
