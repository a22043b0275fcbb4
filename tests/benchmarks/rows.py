"""The rows of a benchmark: one figure each, beside its target and its peer's figure."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    name: str  # with its unit
    ours: float
    peer: float | None
    ratio: float | None
    target: float
    holds: bool


def at_least(name: str, ours: float, peer: float, target: float) -> Row:
    """Peer / ours, the higher the better."""
    ratio = peer / ours
    return Row(name, ours, peer, ratio, target, ratio >= target)


def at_most(name: str, ours: float, target: float, peer: float | None = None) -> Row:
    """Ours, or, where there is a peer, ours / peer: the lower the better."""
    ratio = ours / peer if peer else None
    return Row(name, ours, peer, ratio, target, (ratio if peer else ours) <= target)


def show(rows: Sequence[Row]) -> None:
    """A table, and as last line a JSON list."""
    print(f"{'':72} {'ours':>10} {'peer':>10} {'ratio':>8} {'target':>8}")
    for row in rows:
        peer, ratio = (f"{v:.4g}" if v is not None else "" for v in (row.peer, row.ratio))
        verdict = "holds" if row.holds else "MISSED"
        print(f"{row.name:72} {row.ours:10.4g} {peer:>10} {ratio:>8} {row.target:8g} {verdict}")
    print(json.dumps([asdict(row) for row in rows]))
