"""The sample drawings tell the story: wrong without LoRA, right with it, also where unseen."""

import importlib.util
import sys

import numpy as np
import pytest

from lora_demo import (
    AdapterSpec,
    Placement,
    compare,
    count_broken,
    load_model,
    open_image,
    read_class_folder,
    read_features,
    train,
)
from lora_demo.ui.samples import PHOTOS
from tests.conftest import DATA

SETS = ["goldfish", "snail", "teapot"]


def answer(model, path, adapter=None) -> str:
    return compare(model, read_features(model, path), adapter).after[0].class_name


def held_out(name):
    return sorted((DATA / name / "held_out").glob("*.png"))


def test_there_are_these_sets_of_five_and_five():
    assert sorted(path.name for path in DATA.iterdir() if path.is_dir()) == SETS
    for name in SETS:
        assert len(list((DATA / name).glob("*.png"))) == len(held_out(name)) == 5


@pytest.mark.parametrize("name", SETS)
def test_the_base_model_gets_every_drawing_wrong(model, name):
    paths = [*(DATA / name).glob("*.png"), *held_out(name)]

    assert [answer(model, path) for path in paths].count(name) == 0


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("placement", "least"),
    [
        pytest.param(Placement.PIXELS, 4, marks=pytest.mark.slow),
        (Placement.HEAD, 5),
        (Placement.GUARDED, 4),
    ],
)
def test_with_lora_it_gets_drawings_right_that_it_has_not_seen(model, name, placement, least):
    spec = AdapterSpec(model.name, placement, class_names=(name,))
    *_, progress = train(model, read_class_folder(DATA / name, model.categories), spec)

    answers = [answer(model, path, progress.adapter) for path in held_out(name)]
    assert answers.count(name) >= least


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_efficientnet_lite_names_the_photos_that_are_controls(number):
    model = load_model(f"efficientnet_lite{number}")

    assert [answer(model, path) for path, word in PHOTOS.items() if word] == [
        word for word in PHOTOS.values() if word
    ]
    assert list(PHOTOS.values()).count(None) == 2


@pytest.mark.parametrize(("placement", "most"), [(Placement.HEAD, 4), (Placement.GUARDED, 0)])
def test_guarded_breaks_less_than_plain_lora(model, placement, most):
    photos = [read_features(model, path) for path in PHOTOS]
    spec = AdapterSpec(model.name, placement, class_names=("goldfish",))
    *_, progress = train(model, read_class_folder(DATA / "goldfish", model.categories), spec)

    broken = count_broken(photos, progress.adapter)

    assert broken.total == 5
    assert broken.captured <= broken.changed <= most
    assert count_broken(photos, progress.adapter, strength=0.0).changed == 0
    if placement is Placement.HEAD:
        assert broken.changed >= 2


@pytest.mark.slow
def test_the_script_draws_the_same_picture_again(tmp_path):
    script = importlib.util.spec_from_file_location("make_drawings", DATA / "make_drawings.py")
    make_drawings = importlib.util.module_from_spec(script)
    sys.modules["make_drawings"] = make_drawings  # its dataclasses look themselves up there
    script.loader.exec_module(make_drawings)

    make_drawings.draw("goldfish", 6).save(tmp_path / "2.png")

    again = np.asarray(open_image(tmp_path / "2.png"), dtype=float)
    there = np.asarray(open_image(DATA / "goldfish" / "held_out" / "2.png"), dtype=float)
    assert np.abs(again - there).mean() < 1  # of 255; other Pillows may round otherwise
