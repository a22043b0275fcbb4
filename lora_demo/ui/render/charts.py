"""Records of the core as pictures for the page, in HTML and SVG. Pure: nothing is done here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lora_demo.lora.spec import Size

if TYPE_CHECKING:
    from lora_demo.lora.evaluation import Change, Comparison, Prediction
    from lora_demo.lora.fitting import LossPoint

PLOT_WIDTH, PLOT_HEIGHT = 560, 180  # SVG units
MAX_PLOT_POINTS = 200


def loss_plot(points: tuple[LossPoint, ...], epochs: int) -> str:
    """The loss curve as SVG, from the first epoch on, thinned out."""
    if not points:
        return (
            '<div class="plot plot-empty">The curve of its mistakes appears here '
            "while it practises.</div>"
        )
    left, top, right, bottom = 44, 12, PLOT_WIDTH - 14, PLOT_HEIGHT - 30
    highest = max(point.loss for point in points) or 1.0

    def place(point: LossPoint) -> tuple[float, float]:
        along = (point.epoch - 1) / max(epochs - 1, 1)
        return left + along * (right - left), bottom - point.loss / highest * (bottom - top)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, _thin(points)))
    x, y = place(points[-1])
    first, last = points[0], points[-1]
    label_x, anchor = (x - 10, "end") if x > (left + right) / 2 else (x + 10, "start")
    label_y = max(y - 10, top + 12)
    return (
        f'<figure class="plot"><svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" role="img" '
        f'aria-label="Loss from {first.loss:.2f} to {last.loss:.2f} in {last.epoch} rounds">'
        f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>'
        f'<text x="{left - 8}" y="{top + 8}" text-anchor="end">{highest:.1f}</text>'
        f'<text x="{left - 8}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{left}" y="{bottom + 20}">round 1</text>'
        f'<text x="{right}" y="{bottom + 20}" text-anchor="end">round {epochs}</text>'
        f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<text class="now" x="{label_x:.1f}" y="{label_y:.1f}" text-anchor="{anchor}">'
        f"{last.loss:.2f}</text></svg>"
        "<figcaption>How wrong it still is (the <b>loss</b>). At 0 it is sure of every picture "
        "that it practised on.</figcaption></figure>"
    )


def _thin(points: tuple[LossPoint, ...]) -> list[LossPoint]:
    """At most 200: the first, the last, and the lowest and the highest of each stretch between."""
    size = -(-2 * len(points) // (MAX_PLOT_POINTS - 2))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        kept |= {find(stretch, key=lambda i: points[i].loss) for find in (min, max)}
    return [points[i] for i in sorted(kept)]


def size_card(size: Size, title: str, guarded: bool) -> str:
    """The numbers of LoRA beside its base model's, as figures and as bars to scale."""
    largest = max(size.trainable_parameters, size.base_parameters)
    rows = [
        ("frozen", f"{title}, frozen", size.base_parameters),
        ("lora", "LoRA, learns", size.trainable_parameters),
    ]
    bars = "".join(
        f'<div class="size-row {kind}"><span>{escape(name)}</span>'
        f'<i style="width:max(3px,{count / largest:.2%})"></i><b>{count:,}</b></div>'
        for kind, name, count in rows
    )
    rank_1 = (
        " “Keep old knowledge” works out beforehand where the LoRA may look, and learns only how "
        "strongly to answer: for one kind of thing that is a change of rank 1, whatever you choose."
    )
    share = "&lt; 0.01 %" if size.share < 0.0001 else f"{size.share * 100:.2f} %"
    return (
        f'<div class="size">{bars}<p>LoRA has <b>{share}</b> of the network’s '
        f"numbers; its file has <b>{file_size(size.file_bytes)}</b>.{rank_1 * guarded}</p></div>"
    )


def comparison_card(comparison: Comparison, base_title: str, learned: bool, strength: float) -> str:
    """Base top-5 and base + LoRA top-5 side by side, and what became of the taught classes."""
    taught = {change.before.class_name for change in comparison.taught}
    changes = "".join(_change_line(change) for change in comparison.taught[:3])
    before = _answers(f"{base_title} alone", "frozen", comparison.before, taught)
    if not learned:
        after = (
            '<section class="answers lora empty"><h3>With LoRA</h3><p>Nothing is trained yet. '
            "Press <b>Train</b> in step 3, and its new answers appear here.</p></section>"
        )
        return f'<div class="compare"><div class="columns">{before}{after}</div></div>'
    names = ", ".join(change.before.class_name for change in comparison.taught[:3])
    title = f"With LoRA, taught {names}" if names else "With LoRA"
    after = _answers(title, "lora", comparison.after, taught)
    return (
        f'<div class="compare">{changes}<div class="columns">{before}{after}</div>'
        f"<p>{_verdict(comparison, strength)}</p></div>"
    )


def _change_line(change: Change) -> str:
    before, after = change.before, change.after
    return (
        f'<div class="change"><b>{escape(before.class_name)}</b> '
        f'<span class="frozen">{_percent(before.probability)}</span> → '
        f'<span class="lora">{_percent(after.probability)}</span> '
        f"<small>from place {before.rank:,} to place {after.rank:,}</small></div>"
    )


def _verdict(comparison: Comparison, strength: float) -> str:
    before, after = comparison.before[0].class_name, comparison.after[0].class_name
    if strength == 0:
        return "Strength is 0, so LoRA is switched off and both sides are the same."
    if before == after:
        text = f"The first answer stays <b>{escape(after)}</b>."
        rising = [c.after for c in comparison.taught if 1 < c.after.rank < c.before.rank]
        if rising:
            text += (
                f" But {escape(rising[0].class_name)} is on its way up: turn the strength up, or "
                "train with more pictures."
            )
        return text
    taught = {change.after.class_name for change in comparison.taught}
    text = f"LoRA changed the first answer from <b>{escape(before)}</b> to <b>{escape(after)}</b>."
    if after in taught:
        text += (
            " Is that right? Then it has learned. Is it wrong? Then LoRA learned its pictures "
            "rather than the thing: turn the strength down, or train with more and more "
            "different pictures."
        )
    return text


def _answers(title: str, kind: str, predictions: tuple[Prediction, ...], taught: set[str]) -> str:
    rows = "".join(
        f'<li class="{"taught" if p.class_name in taught else ""}">'
        f"<span>{escape(p.class_name)}</span><b>{_percent(p.probability)}</b>"
        f'<i style="width:max(2px,{p.probability:.1%})"></i></li>'
        for p in predictions
    )
    return f'<section class="answers {kind}"><h3>{escape(title)}</h3><ol>{rows}</ol></section>'


def _percent(probability: float) -> str:
    """Never rounded to a certainty that is none."""
    if probability < 0.0005:
        return "&lt; 0.1 %"
    return "&gt; 99.9 %" if probability >= 0.9995 else f"{probability * 100:.1f} %"


def file_size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
