"""The benchmarks tell the truth: a row holds on the right side of its target, and only there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lora_demo import FeatureSet
from tests.benchmarks import quality
from tests.benchmarks.peers import LORAS, train
from tests.benchmarks.rows import at_least, at_most, show
from tests.benchmarks.tasks import read_others
from tests.conftest import DATA


@pytest.mark.parametrize(
    ("row", "ratio", "holds"),
    [
        (at_least("plain / ours", ours=2.0, peer=700.0, target=350), 350, True),
        (at_least("plain / ours", ours=2.0, peer=698.0, target=350), 349, False),
        (at_most("seconds", ours=0.15, target=0.15), None, True),
        (at_most("seconds", ours=0.16, target=0.15), None, False),
        (at_most("ours / empty", ours=3.0, target=1.3, peer=2.0), 1.5, False),
        (at_most("ours / empty", ours=2.6, target=1.3, peer=2.0), 1.3, True),
    ],
)
def test_a_row_holds_on_the_right_side_of_its_target(row, ratio, holds, capsys):
    assert (row.ratio, row.holds) == (ratio, holds)

    show([row])

    table, last = capsys.readouterr().out.strip().rsplit("\n", 1)
    assert ("holds" if holds else "MISSED") in table
    assert json.loads(last)[0].keys() == {"name", "ours", "peer", "ratio", "target", "holds"}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Two tasks of our drawings; one has look-alikes, and pictures to correct with."""
    root = tmp_path_factory.mktemp("pictures")
    for folder, drawings in {
        "fish/train/goldfish": "goldfish/[12].png",
        "fish/held_out/goldfish": "goldfish/held_out/*.png",
        "fish/lookalikes": "snail/*.png",
        "fish/not_this": "teapot/*.png",
        "snails/train/snail": "snail/[12].png",
        "snails/held_out/snail": "snail/held_out/*.png",
        "bystanders": "teapot/held_out/*.png",
    }.items():
        (root / folder).mkdir(parents=True)
        for file in DATA.glob(drawings):
            (root / folder / file.name).symlink_to(file)
    return root


def test_a_row_says_what_was_captured_and_how_many_corrected(model, pictures, capsys):
    rows = quality.measure(model, pictures, ["peft"], [(3, 0), (3, 2)])

    asked = [(row["task"], row["pictures"], row["corrections"]) for row in rows]
    assert asked == [
        *[(task, 3, 0) for task in ("fish", "snails", "mean")],
        *[(task, 3, 2) for task in ("fish", "mean")],  # of snails there is nothing to correct with
    ]
    fish, snails, mean, corrected, _ = rows
    assert 0 <= corrected["lookalikes"] <= fish["lookalikes"] == mean["lookalikes"]
    assert snails["lookalikes"] is None
    quality.show(rows)
    table, last = capsys.readouterr().out.strip().rsplit("\n", 1)
    assert len(table.splitlines()) == 1 + len(rows)
    assert json.loads(last) == rows


@pytest.mark.parametrize("held_out", [0.2, 1.0])
def test_recipes_are_compared_at_an_equal_share_of_held_out_pictures(
    model, pictures, monkeypatch, held_out
):
    monkeypatch.setitem(quality.RECIPES, "ncm", lambda *_: lambda features: features.logits)

    rows = quality.measure(model, pictures, ["guarded", "ncm"], [(3, 0)], held_out=held_out)

    asked, equal, unchanged = (row for row in rows if row["task"] == "mean")
    assert asked["strength"] == unchanged["strength"] == 1  # what changes nothing is never equal
    assert (asked["recipe"], equal["recipe"]) == ("guarded", "guarded")
    assert equal["held_out"] >= held_out


def test_photos_that_teach_one_recipe_are_scored_for_none(model, pictures, monkeypatch):
    taught, scored = [], []

    def recipe(model, learned, photos):
        taught.append(photos.head_input)
        return lambda features: scored.append(features.head_input) or features.logits

    monkeypatch.setitem(quality.RECIPES, "guarded", recipe)
    quality.measure(model, pictures, ["guarded", "ridge"], [(1, 0)])

    assert [len(photos) for photos in taught] == [2, 2]  # of five, for each task
    for photo in taught[0]:
        assert not any((photo == picture).all() for picture in torch.cat(scored))


@pytest.fixture
def taught(features, model, pictures) -> FeatureSet:
    """Five goldfish, and two teapots as corrections."""
    corrections = read_others(model, pictures / "fish/not_this").pick(slice(2))
    columns = zip(vars(features).values(), vars(corrections).values(), strict=True)
    return FeatureSet(*map(torch.cat, columns))


@pytest.fixture
def photos(model, pictures) -> FeatureSet:
    return read_others(model, pictures / "fish/lookalikes")


@pytest.mark.parametrize("name", LORAS)
def test_a_lora_of_others_changes_no_answer_before_it_learns(model, taught, photos, name):
    start, learning_rate = LORAS[name]

    head = start(model, taught, photos)

    with torch.no_grad():
        assert torch.allclose(head(taught.head_input), taught.logits, atol=1e-4)
    answer = train(head, taught, learning_rate, epochs=1)
    with torch.no_grad():
        assert not torch.allclose(answer(taught), taught.logits, atol=1e-4)


LONG = {
    "peft-eva",
    "peft-pissa",
    "peft-corda",
    "lora-null",
    "lora-null-v2",
    "oplora",
}  # small steps


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in quality.RECIPES
        if name not in quality.OURS
    ],
)
def test_a_peer_learns_its_pictures_and_heeds_corrections(model, taught, photos, name):
    answer = quality.RECIPES[name](model, taught, photos)

    with torch.no_grad():
        first = answer(taught).argmax(1)
    assert (first == taught.labels)[:5].all()
    assert (first == taught.logits.argmax(1))[5:].all()


@pytest.mark.slow
def test_one_measurement_can_be_run_alone():
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--only", "dial"]

    rows = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])

    assert [row["name"].split(":")[0] for row in rows] == ["strength dial"] * 2
    assert rows[1]["ours"] == 0  # runs of the trunk
