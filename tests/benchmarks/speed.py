"""Ours against the plain loop, which runs the frozen network again for every batch.

VGG-19's architecture with random weights, five pictures, rank 10 on the pixels, equal seeds.
Run from the project's folder: python -m tests.benchmarks.speed
"""

import json
import tempfile
import time
from pathlib import Path

import torch
from torchvision.models import vgg19

from lora_demo import (
    AdapterSpec,
    TrainingSettings,
    fit,
    load_model,
    read_class_folder,
    read_feature_set,
)
from tests.plain import PlainLora, plain_losses

PLAIN_EPOCHS, OUR_EPOCHS = 5, 100
DATA = Path(__file__).parents[2] / "data" / "goldfish"


def timed(losses) -> tuple[list[float], float]:
    """All losses, and seconds per epoch: the median, without the first, which warms up."""
    values, seconds, before = [], [], time.perf_counter()
    for loss in losses:
        now = time.perf_counter()
        values.append(loss)
        seconds.append(now - before)
        before = now
    return values, sorted(seconds[1:])[len(seconds[1:]) // 2]


def main() -> None:
    torch.manual_seed(0)
    network = vgg19().eval().requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vgg19.pth"
        torch.save(network.state_dict(), path)
        model = load_model("vgg19", path)
        features = read_feature_set(model, read_class_folder(DATA, model.categories))
    x = features.pixels.view(-1, 3, model.input_px, model.input_px)

    lora = PlainLora(features.pixels.shape[1], 1000)
    plain, plain_seconds = timed(plain_losses(network, lora, x, features.labels, PLAIN_EPOCHS))
    steps = fit(model, features, AdapterSpec("vgg19"), TrainingSettings(OUR_EPOCHS))
    ours, our_seconds = timed(step.points[-1].loss for step in steps)
    difference = max(abs(a - b) for a, b in zip(plain, ours, strict=False))

    ratio = plain_seconds / our_seconds
    rows = [
        {
            "name": "seconds per epoch, VGG-19, 5 pictures, rank 10, pixels",
            "ours": our_seconds,
            "peer": plain_seconds,
            "ratio": ratio,
            "target": 300,
            "holds": ratio >= 300,
        },
        {
            "name": f"greatest difference of the losses, {PLAIN_EPOCHS} epochs",
            "ours": difference,
            "peer": None,
            "ratio": None,
            "target": 1e-4,
            "holds": difference <= 1e-4,
        },
    ]
    for row in rows:
        peer = f"{row['peer']:10.4f}  {row['ratio']:6.0f}x" if row["peer"] else " " * 19
        print(f"{row['name']:58} {row['ours']:10.6f} {peer}  target {row['target']:g}  ", end="")
        print("holds" if row["holds"] else "MISSED")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
