"""How close to the machine's limit: ours beside everybody's way, as ratios of one run.

VGG-19's architecture has random weights here; no figure depends on what they are.
Run from the project's folder: python -m tests.benchmarks.speed [--only NAME]
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.growth import growth
from tests.benchmarks.rows import Row, show
from tests.benchmarks.speed_app import dial, memory, plot, start
from tests.benchmarks.speed_training import (
    Lesson,
    guarded,
    head_epoch,
    load,
    lora_cost,
    pixels_epoch,
    pixels_first,
    trunk_pass,
)

MEASURES: dict[str, Callable[[Lesson], list[Row]]] = {
    "pixels-epoch": pixels_epoch,
    "pixels-first": pixels_first,
    "head-epoch": head_epoch,
    "guarded": guarded,
    "trunk-pass": trunk_pass,
    "load": load,
    "dial": dial,
    "lora-cost": lora_cost,
    "start": start,
    "memory": memory,
    "growth": growth,
    "plot": plot,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES))
    chosen = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        lesson = Lesson(Path(folder))
        measures = [MEASURES[chosen]] if chosen else MEASURES.values()
        show([row for measure in measures for row in measure(lesson)])


if __name__ == "__main__":
    main()
