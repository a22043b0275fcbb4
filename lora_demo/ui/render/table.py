"""All trainings of one visitor, as a plot and a table. Pure: nothing is done here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lora_demo.lora.spec import Placement
from lora_demo.ui.render.charts import file_size

if TYPE_CHECKING:
    from lora_demo.lab import Result

RECIPES = {
    Placement.GUARDED: "Keep old knowledge",
    Placement.HEAD: "Plain LoRA on the last layer",
    Placement.PIXELS: "As in the article: LoRA on the raw dots of the picture (pixels)",
    Placement.CLASSIFIER: "All linear layers",
}
SHORT = RECIPES | {Placement.HEAD: "Last layer", Placement.PIXELS: "As in the article"}
PLOT_WIDTH, PLOT_HEIGHT = 560, 320  # SVG units
COLUMNS = {
    "Recipe": "Where the LoRA sits, and how it is trained.",
    "Rank": "How large the LoRA is. If twice the rank changes nothing in the columns to the right, "
    "the smaller one will do.",
    "Numbers that learn": "All the others stay frozen. Fewer are easier to store and to share.",
    "File": "What you send when you share this LoRA.",
    "Time": "Of the training alone, on this computer.",
    "Mistake (loss)": "On the pictures that it practised on: 0 means that it knows them by heart. "
    "That is no proof that it knows the thing, so look at the next column.",
    "Hidden pictures recognised": "The fair test. If few are, it learned the pictures and not the "
    "thing: add more, with other backgrounds.",
    "Other pictures changed": "Photos and drawings that have nothing to do with the lesson. If "
    "many changed, try “Keep old knowledge”, or less strength.",
    "Kinds changed": "The same for all 1,000 kinds, each tested with a pattern made from the "
    "network’s own numbers. Only for recipes that work on the last layer.",
}


def results_view(results: Sequence[Result]) -> str:
    """A plot of learned against broken, one point a training, and the table. Rows can be chosen."""
    if not results:
        return (
            '<div class="plot plot-empty">Every training of yours becomes one line of a table '
            "here, and one point: high is learned, left is nothing broken.</div>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS) + "<td></td>"
    meanings = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in COLUMNS.items())
    rows = "".join(_row(number, result) for number, result in enumerate(results))
    return (
        f"{_plot(results)}<p>Best is top left: much learned, nothing broken. Click a point, or "
        "“Use”, to go on with that LoRA in steps 4 and 5.</p>"
        f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div><details><summary>What the columns mean</summary><dl>{meanings}</dl></details>"
    )


def _row(number: int, result: Result) -> str:
    spec, broken, classes = result.adapter.spec, result.pictures_broken, result.classes_broken
    cells = (
        SHORT[spec.placement],
        spec.rank,
        f"{result.size.trainable_parameters:,}",
        file_size(result.size.file_bytes),
        f"{result.seconds:.2f} s",
        f"{result.final_loss:.3f}",
        str(result.adapted) if result.adapted.total else "–",
        f"{broken.changed} of {broken.total}",
        f"{classes.changed:,} of {classes.total:,}" if classes else "–",
        f'<button data-row="{number}" aria-label="Use training {number + 1}">Use</button>',
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _plot(results: Sequence[Result]) -> str:
    left, top, right, bottom = 60, 22, PLOT_WIDTH - 22, PLOT_HEIGHT - 46
    taken: dict[tuple, int] = {}
    points = []
    for number, result in enumerate(results):
        learned = result.adapted.correct / max(result.adapted.total, 1)
        broken = result.pictures_broken.changed / max(result.pictures_broken.total, 1)
        beside = taken[learned, broken] = taken.get((learned, broken), -1) + 1  # equal ones
        x = left + 10 + broken * (right - left - 20)
        y = bottom - 10 - learned * (bottom - top - 20) + beside * (17 if learned > 0.5 else -17)
        spec = result.adapter.spec
        name = f"{SHORT[spec.placement]}, rank {spec.rank}"
        points.append(
            f'<g class="point {spec.placement.value}" data-row="{number}"><title>{name}</title>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
            f'<text x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle">{spec.rank}</text></g>'
        )
    recipes = dict.fromkeys(result.adapter.spec.placement for result in results)
    legend = "".join(f'<span class="point {p.value}">{SHORT[p]}</span>' for p in recipes)
    return (
        f'<figure class="plot results"><svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" role="img" '
        f'aria-label="Trainings: learned against broken; the table says the same">'
        f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>'
        f'<text x="{left - 8}" y="{top + 14}" text-anchor="end">all</text>'
        f'<text x="{left - 8}" y="{bottom - 4}" text-anchor="end">none</text>'
        f'<text x="{left}" y="{bottom + 20}">nothing broken</text>'
        f'<text x="{right}" y="{bottom + 20}" text-anchor="end">all of them changed</text>'
        f'<text x="{left}" y="14">hidden pictures recognised (learned)</text>'
        f'<text x="{(left + right) / 2}" y="{bottom + 40}" text-anchor="middle">'
        f"other pictures changed (broken)</text>{''.join(points)}</svg>"
        f'<figcaption class="legend">{legend}<span>The figure is the rank; equal ones are '
        "stacked.</span></figcaption></figure>"
    )
