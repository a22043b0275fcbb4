"""Records of the core as plots and cards for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lora_demo import Size
from lora_demo.ui.render.templates import render

if TYPE_CHECKING:
    from lora_demo import Comparison, LossPoint

MAX_PLOT_POINTS = 200


@dataclass(frozen=True)
class Frame:
    """A plot's size and the edges of its axes, in SVG units."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int


LOSS_FRAME = Frame(560, 180, left=44, top=12, right=546, bottom=150)


def loss_plot(points: tuple[LossPoint, ...], epochs: int) -> str:
    """Draw the loss curve from the first epoch on, thinned out."""
    if not points:
        text = "The curve of its mistakes appears here while it practises."
        return render("empty_plot", text=text)
    frame, highest = LOSS_FRAME, max(point.loss for point in points) or 1.0

    def place(point: LossPoint) -> tuple[float, float]:
        along = (point.epoch - 1) / max(epochs - 1, 1)
        x = frame.left + along * (frame.right - frame.left)
        return x, frame.bottom - point.loss / highest * (frame.bottom - frame.top)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, _thin(points)))
    first, last = points[0], points[-1]
    x, y = place(last)
    return render(
        "loss_plot",
        **vars(frame),
        line=line,
        first=first,
        last=last,
        x=x,
        y=y,
        highest=highest,
        epochs=epochs,
    )


def _thin(points: tuple[LossPoint, ...]) -> list[LossPoint]:
    """Keep at most 200: the first, the last, and the lowest and highest of each stretch between."""
    size = -(-2 * len(points) // (MAX_PLOT_POINTS - 2))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        kept |= {find(stretch, key=lambda i: points[i].loss) for find in (min, max)}
    return [points[i] for i in sorted(kept)]


def size_card(size: Size, title: str, guarded: bool) -> str:
    """Show the numbers of LoRA beside its base model's, as figures and as bars to scale."""
    rows = [
        ("frozen", f"{title}, frozen", size.base_parameters),
        ("lora", "LoRA, learns", size.trainable_parameters),
    ]
    share = "< 0.01 %" if size.share < 0.0001 else f"{size.share * 100:.2f} %"
    return render(
        "size",
        rows=rows,
        largest=max(size.trainable_parameters, size.base_parameters),
        share=share,
        file_bytes=size.file_bytes,
        guarded=guarded,
    )


def comparison_card(comparison: Comparison, base_title: str, learned: bool, strength: float) -> str:
    """Show base top-5 and base + LoRA top-5 side by side, and what became of the taught classes."""
    changes = comparison.taught
    return render(
        "comparison",
        comparison=comparison,
        base_title=base_title,
        learned=learned,
        strength=strength,
        taught=[change.before.class_name for change in changes],
        rising=[c.after.class_name for c in changes if 1 < c.after.rank < c.before.rank],
    )
