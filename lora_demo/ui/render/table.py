"""All trainings of one visitor, as a plot and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lora_demo import Recipe
from lora_demo.ui.render.charts import Frame
from lora_demo.ui.render.templates import render

if TYPE_CHECKING:
    from lora_demo import Result

FRAME = Frame(560, 320, left=60, top=22, right=538, bottom=274)
MARGIN, STACKED = 10, 17  # SVG units: inside the frame; between equal points


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
    return render("results", **vars(FRAME), points=_points(results), results=results)


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
