"""What each recipe learns and what it breaks, measured on real pictures.

Run from the project's folder: python -m tests.benchmarks.quality --data DIR
DIR holds <task>/{train,held_out}/<category>/*.jpg and bystanders/*.jpg. Where a task has fewer
pictures to learn from than asked for, held-out ones fill up and are then not scored. A task may
have lookalikes/*.jpg, pictures of other things in its style to score, and not_this/*.jpg, more of
them to correct with; a task with fewer than asked for is left out there.
Some peers learn from photos, too. A run with one of them gives them half of the bystanders and
scores every recipe on the other half; so does --learn-photos N, for runs to be compared with it.
--held-out 0.95 adds rows in which the strength of each recipe's change, one for all tasks, is the
least that recognises 95 % of the held-out pictures.
"""

import argparse
import json
import time
from pathlib import Path

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
from tests.benchmarks.class_means import (
    answer_by_discriminant,
    answer_by_nearest_mean,
    answer_by_ridge,
)
from tests.benchmarks.peers import PEERS, Answer, Peer
from tests.benchmarks.scoring import Trained, equal_strength, mean_over
from tests.benchmarks.tasks import read_others, read_task


def answer_with_ours(placement: Placement) -> Peer:
    """As the page does it: leave-one-out follows the training and sets the strength."""

    def train(model: FrozenModel, learned: FeatureSet, photos: Features) -> Answer:
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
RECIPES = {
    **{p.value: answer_with_ours(p) for p in OURS},
    **PEERS,
    "ncm": answer_by_nearest_mean,
    "lda": answer_by_discriminant,
    "ridge": answer_by_ridge,
}
NEED_PHOTOS = {"peft-corda", "lora-null", "lora-null-v2", "ncm", "lda", "ridge"}


def measure(
    model: FrozenModel,
    data: Path,
    recipes: list[str],
    counts: list[tuple[int, int]],
    learn_photos: int | None = None,
    held_out: float | None = None,
) -> list[dict]:
    """Return a row for each count of pictures and corrections, recipe and task, and the mean.

    The first `learn_photos` bystanders are for recipes that learn from photos, and no recipe is
    scored on them. By default they are half of all if one recipe needs them, and none otherwise.
    With `held_out` each recipe has more rows, at the least strength that recognises that share.
    """
    bystanders = read_others(model, data / "bystanders")
    if learn_photos is None:
        learn_photos = len(bystanders.labels) // 2 if NEED_PHOTOS.intersection(recipes) else 0
    photos = bystanders.pick(slice(learn_photos))
    bystanders = bystanders.pick(slice(learn_photos, None))
    everything = [read_task(model, path.parent) for path in sorted(data.glob("*/train"))]
    rows = []
    for pictures, corrections in counts:
        tasks = [task for task in everything if task.has(corrections)]
        for recipe in recipes if tasks else []:
            trained = []
            for task in tasks:
                learned, left = task.split(pictures, corrections)
                started = time.perf_counter()
                answer = RECIPES[recipe](model, learned, photos)
                trained.append(Trained(task, left, answer, time.perf_counter() - started))
            strengths = [1.0, *(equal_strength(trained, held_out) if held_out else [])]
            for strength in strengths:
                asked = {"recipe": recipe, "pictures": pictures, "corrections": corrections}
                scores = {each.task.name: each.score(bystanders, strength) for each in trained}
                scores["mean"] = mean_over(list(scores.values()))
                rows += [
                    {"base_model": model.name, **asked, "strength": strength, "task": task, **row}
                    for task, row in scores.items()
                ]
    return rows


def show(rows: list[dict]) -> None:
    print(
        f"pictures corrections {'recipe':16} strength {'task':20} "
        "held out (base)  captured  changed  look-alikes  seconds"
    )
    for row in rows:
        lookalikes = "" if row["lookalikes"] is None else f"{row['lookalikes']:.1%}"
        print(
            f"{row['pictures']:8} {row['corrections']:11} {row['recipe']:16} "
            f"{row['strength']:8.2f} {row['task']:20} "
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
    parser.add_argument("--recipes", default=",".join([*(p.value for p in OURS), "peft"]))
    parser.add_argument("--learn-photos", type=int)
    parser.add_argument("--held-out", type=float)
    options = parser.parse_args()
    counts = [
        (int(pictures), int(corrections))
        for pictures in options.pictures.split(",")
        for corrections in options.corrections.split(",")
    ]
    recipes = options.recipes.split(",")
    model = load_model(options.base_model)
    rows = measure(model, options.data, recipes, counts, options.learn_photos, options.held_out)
    show(rows)


if __name__ == "__main__":
    main()
