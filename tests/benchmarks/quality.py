"""What each recipe learns and what it breaks, measured on real pictures.

Run from the project's folder: python -m tests.benchmarks.quality --data DIR
DIR holds <task>/{train,held_out}/<category>/*.jpg and bystanders/*.jpg. Where a task has fewer
pictures to learn from than asked for, held-out ones fill up and are then not scored. A task may
have lookalikes/*.jpg, pictures of other things in its style to score, and not_this/*.jpg, more of
them to correct with; a task with fewer than asked for is left out there.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from lora_demo import (
    AdapterSpec,
    FeatureSet,
    FrozenModel,
    Placement,
    fit,
    leave_one_out,
    load_model,
)
from lora_demo.backbones.features import Features
from tests.benchmarks.peers import answer_with_peft
from tests.benchmarks.tasks import Task, read_others, read_task


def answer_with_ours(placement: Placement) -> Callable:
    """As the page does it: leave-one-out follows the training and sets the strength."""

    def train(model: FrozenModel, learned: FeatureSet) -> Callable[[Features], Tensor]:
        spec = AdapterSpec(model.name, placement)
        *_, progress = fit(model, learned, spec)
        if placement is not Placement.GUARDED:
            return progress.adapter.logits
        strength = progress.adapter.strength
        for held_back in leave_one_out(model, learned, spec):
            strength = held_back.strength
        return progress.adapter.at_strength(strength).logits

    return train


OURS = (Placement.PIXELS, Placement.HEAD, Placement.GUARDED)  # `classifier` is VGG-19's
RECIPES = {p.value: answer_with_ours(p) for p in OURS} | {"peft": answer_with_peft}


@torch.no_grad()
def score(answer: Callable, held_out: FeatureSet, bystanders: Features, task: Task) -> dict:
    taught = task.examples.labels

    def captured(others: Features) -> float:
        before, after = others.logits.argmax(1), answer(others).argmax(1)
        return (torch.isin(after, taught) & ~torch.isin(before, taught)).double().mean().item()

    changed = answer(bystanders).argmax(1) != bystanders.logits.argmax(1)
    return {
        "held_out": (answer(held_out).argmax(1) == held_out.labels).double().mean().item(),
        "held_out_base": (held_out.logits.argmax(1) == held_out.labels).double().mean().item(),
        "captured": captured(bystanders),
        "changed": changed.double().mean().item(),
        "lookalikes": None if task.lookalikes is None else captured(task.lookalikes),
    }


def mean_over(tasks: list[dict]) -> dict:
    """Take the mean of every figure over the tasks that have it."""
    mean = {}
    for name in tasks[0]:
        figures = [task[name] for task in tasks if task[name] is not None]
        mean[name] = sum(figures) / len(figures) if figures else None
    return mean


def measure(
    model: FrozenModel,
    data: Path,
    recipes: list[str],
    counts: list[tuple[int, int]],
) -> list[dict]:
    """Return a row for each count of pictures and corrections, recipe and task, and the mean."""
    bystanders = read_others(model, data / "bystanders")
    everything = [read_task(model, path.parent) for path in sorted(data.glob("*/train"))]
    rows = []
    for pictures, corrections in counts:
        tasks = [task for task in everything if task.has(corrections)]
        for recipe in recipes if tasks else []:
            scores = {}
            for task in tasks:
                learned, held_out = task.split(pictures, corrections)
                started = time.perf_counter()
                answer = RECIPES[recipe](model, learned)
                seconds = time.perf_counter() - started
                scored = score(answer, held_out, bystanders, task)
                scores[task.name] = scored | {"seconds": seconds}
            scores["mean"] = mean_over(list(scores.values()))
            asked = {"recipe": recipe, "pictures": pictures, "corrections": corrections}
            rows += [
                {"base_model": model.name, **asked, "task": task, **figures}
                for task, figures in scores.items()
            ]
    return rows


def show(rows: list[dict]) -> None:
    print(
        f"pictures corrections {'recipe':16} {'task':20} "
        "held out (base)  captured  changed  look-alikes  seconds"
    )
    for row in rows:
        lookalikes = "" if row["lookalikes"] is None else f"{row['lookalikes']:.1%}"
        print(
            f"{row['pictures']:8} {row['corrections']:11} {row['recipe']:16} {row['task']:20} "
            f"{row['held_out']:8.1%} {row['held_out_base']:7.1%} {row['captured']:9.2%} "
            f"{row['changed']:8.2%} {lookalikes:>12} {row['seconds']:8.2f}"
        )
    print(json.dumps(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", default="1,2,3,5,10,20")
    parser.add_argument("--corrections", default="0")
    parser.add_argument("--base-model", default="efficientnet_lite0")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    options = parser.parse_args()
    counts = [
        (int(pictures), int(corrections))
        for pictures in options.pictures.split(",")
        for corrections in options.corrections.split(",")
    ]
    recipes = options.recipes.split(",")
    show(measure(load_model(options.base_model), options.data, recipes, counts))


if __name__ == "__main__":
    main()
