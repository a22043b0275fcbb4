"""All trainings of one visitor, as a plot and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lora_demo.lora.recipes import Recipe
from lora_demo.ui.render.amounts import file_size
from lora_demo.ui.render.charts import Frame
from lora_demo.ui.render.templates import render

if TYPE_CHECKING:
    from lora_demo.lab import Result

FRAME = Frame(560, 320, left=60, top=22, right=538, bottom=274)
MARGIN, STACKED = 10, 17  # SVG units: inside the frame; between equal points
COLUMNS = {
    "Recipe": "Where the LoRA sits, and how it is trained.",
    "Rank": "How large the LoRA is. If twice the rank changes nothing in the columns to the right, "
    "the smaller one will do.",
    "Numbers that learn": "All the others stay frozen. Fewer are easier to store and to share.",
    "File": "What you send when you share this LoRA.",
    "Time": "How long only the training took, on this computer.",
    "Mistake (loss)": "On the pictures that it practised on: 0 means that it knows them by heart. "
    "That is no proof that it knows the thing, so look at the next column.",
    "Hidden pictures recognised": "The fair test. If few are, it learned the pictures and not the "
    "thing: add more, with other backgrounds.",
    "Other pictures changed": "Photos and drawings that have nothing to do with the lesson. If "
    "many changed, try “Keep old knowledge”, or less strength.",
    "Kinds changed": "The same for all 1,000 kinds, each tested with a pattern made from the "
    "network’s own numbers. Only for recipes that work on the last layer.",
}


@dataclass(frozen=True)
class Point:
    x: float  # SVG units
    y: float
    rank: int
    recipe: Recipe


def results_view(results: Sequence[Result]) -> str:
    """Show what each training learned and broke, as a plot, and as a table of rows to use."""
    if not results:
        text = (
            "Every training of yours becomes one line of a table here, and one point: high is "
            "learned, left is nothing broken."
        )
        return render("empty_plot", text=text)
    rows = [_cells(result) for result in results]
    return render("results", **vars(FRAME), points=_points(results), columns=COLUMNS, rows=rows)


def _cells(result: Result) -> tuple[object, ...]:
    """Return one cell for each of the columns."""
    spec, broken, classes = result.adapter.spec, result.pictures_broken, result.classes_broken
    return (
        spec.recipe.short_title,
        spec.rank,
        f"{result.size.trainable_parameters:,}",
        file_size(result.size.file_bytes),
        f"{result.seconds:.2f} s",
        f"{result.final_loss:.3f}",
        result.adapted if result.adapted.total else "–",
        f"{broken.changed} of {broken.total}",
        f"{classes.changed:,} of {classes.total:,}" if classes else "–",
    )


def _points(results: Sequence[Result]) -> list[Point]:
    """Place a point for each training: higher if it learned more, to the right if it broke more."""
    width = FRAME.right - FRAME.left - 2 * MARGIN
    height = FRAME.bottom - FRAME.top - 2 * MARGIN
    points, taken = [], {}
    for result in results:
        learned = result.adapted.correct / max(result.adapted.total, 1)
        broken = result.pictures_broken.changed / max(result.pictures_broken.total, 1)
        beside = taken[learned, broken] = taken.get((learned, broken), -1) + 1  # equal ones
        stacked = beside * (STACKED if learned > 0.5 else -STACKED)
        x = FRAME.left + MARGIN + broken * width
        y = FRAME.bottom - MARGIN - learned * height + stacked
        spec = result.adapter.spec
        points.append(Point(x, y, spec.rank, spec.recipe))
    return points
