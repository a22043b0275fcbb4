"""What each recipe learns and what it breaks, measured on real pictures.

Run from the project's folder: python -m tests.benchmarks.quality --data DIR
DIR holds <task>/{train,held_out}/<category>/*.jpg and bystanders/*.jpg. Where a task has fewer
pictures to learn from than asked for, held-out ones fill up and are then not scored.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from lora_demo import (
    AdapterSpec,
    FeatureSet,
    FrozenModel,
    Placement,
    fit,
    leave_one_out,
    load_model,
    read_class_folders,
    read_feature_set,
    read_features,
)
from lora_demo.backbones.features import Features, label_features

PEFT = "peft"
PEFT_EPOCHS, PEFT_LEARNING_RATE = 100, 1e-3


def answer_with_ours(placement: Placement) -> Callable:
    """As the page does it: leave-one-out follows the training and sets the strength."""

    def train(model: FrozenModel, examples: FeatureSet) -> Callable[[Features], Tensor]:
        spec = AdapterSpec(model.name, placement)
        *_, progress = fit(model, examples, spec)
        if placement is not Placement.GUARDED:
            return progress.adapter.logits
        strength = progress.adapter.strength
        for held_back in leave_one_out(model, examples, spec):
            strength = held_back.strength
        return progress.adapter.at_strength(strength).logits

    return train


def answer_with_peft(model: FrozenModel, examples: FeatureSet) -> Callable[[Features], Tensor]:
    """PEFT's LoRA on the last layer with its own defaults, trained the plain way."""
    torch.manual_seed(0)
    head = nn.Linear(*reversed(model.head.weight.shape))
    head.load_state_dict(model.head.state_dict())
    wrapped = get_peft_model(nn.Sequential(head), LoraConfig(target_modules=["0"]))
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=PEFT_LEARNING_RATE)
    for _ in range(PEFT_EPOCHS):
        loss = nn.functional.cross_entropy(wrapped(examples.head_input), examples.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda features: wrapped(features.head_input)


OURS = (Placement.PIXELS, Placement.HEAD, Placement.GUARDED)  # `classifier` is VGG-19's
RECIPES = {p.value: answer_with_ours(p) for p in OURS} | {PEFT: answer_with_peft}


def read_all(model: FrozenModel, folder: Path) -> FeatureSet:
    return read_feature_set(model, read_class_folders(folder, model.categories))


@torch.no_grad()
def score(answer: Callable, held_out: FeatureSet, bystanders: Features, taught: Tensor) -> dict:
    before, after = bystanders.logits.argmax(1), answer(bystanders).argmax(1)
    captured = torch.isin(after, taught) & ~torch.isin(before, taught)
    return {
        "held_out": (answer(held_out).argmax(1) == held_out.labels).double().mean().item(),
        "held_out_base": (held_out.logits.argmax(1) == held_out.labels).double().mean().item(),
        "captured": captured.double().mean().item(),
        "changed": (after != before).double().mean().item(),
    }


def measure(model: FrozenModel, data: Path, counts: list[int], recipes: list[str]) -> list[dict]:
    photos = [read_features(model, path) for path in sorted((data / "bystanders").glob("*.jpg"))]
    bystanders = label_features(photos, [0] * len(photos))
    tasks = {}
    for folder in sorted(path.parent for path in data.glob("*/train")):
        tasks[folder.name] = read_all(model, folder / "train"), read_all(model, folder / "held_out")
    rows = []
    for count in counts:
        for recipe in recipes:
            scores = []
            for task, (examples, held_out) in tasks.items():
                borrowed = max(count - len(examples.labels), 0)
                pairs = zip(vars(examples).values(), vars(held_out).values(), strict=True)
                learned = FeatureSet(*(torch.cat([a, b[:borrowed]])[:count] for a, b in pairs))
                started = time.perf_counter()
                answer = RECIPES[recipe](model, learned)
                seconds = time.perf_counter() - started
                scored = score(
                    answer, held_out.pick(slice(borrowed, None)), bystanders, learned.labels
                )
                scores.append({"task": task, **scored, "seconds": seconds})
            figures = scores[0].keys() - {"task"}
            mean = {name: sum(row[name] for row in scores) / len(scores) for name in figures}
            head = {"base_model": model.name, "recipe": recipe, "pictures": count}
            rows += [head | row for row in [*scores, {"task": "mean", **mean}]]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", default="1,2,3,5,10,20")
    parser.add_argument("--base-model", default="efficientnet_lite0")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    options = parser.parse_args()
    counts = [int(count) for count in options.pictures.split(",")]
    recipes = options.recipes.split(",")
    rows = measure(load_model(options.base_model), options.data, counts, recipes)
    print(f"{'pictures':>8} {'recipe':10} {'task':20} held out (base)  captured  changed  seconds")
    for row in rows:
        print(
            f"{row['pictures']:8} {row['recipe']:10} {row['task']:20} {row['held_out']:8.1%} "
            f"{row['held_out_base']:7.1%} {row['captured']:9.2%} {row['changed']:8.2%} "
            f"{row['seconds']:8.2f}"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
