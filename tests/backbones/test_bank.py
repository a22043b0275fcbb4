"""The bank ships with us, shows nothing that anybody teaches, and is computed once a network."""

import importlib.util
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lora_demo import FrozenModel, open_image, read_features
from lora_demo.backbones import bank as bank_room
from lora_demo.backbones.bank import BANK, style_features
from lora_demo.backbones.duplicates import SAME
from tests.conftest import DATA

compute_or_read = style_features.__wrapped__  # as a new process does


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of this test where features are kept; see `no_vgg19_on_this_computer`."""
    return tmp_path / "torch" / "hub" / "lora_demo"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names the pictures of the bank that are given to the network from here on."""
    names = []

    def recorded(model, path, with_pixels=True):
        names.append(path.name)
        return read_features(model, path, with_pixels)

    monkeypatch.setattr(bank_room, "read_features", recorded)
    return names


@pytest.fixture(scope="session")
def make_bank():
    script = importlib.util.spec_from_file_location("make_bank", DATA / "make_bank.py")
    module = importlib.util.module_from_spec(script)
    sys.modules["make_bank"] = module
    script.loader.exec_module(module)
    return module


def test_there_are_twelve_pictures_of_each_style():
    styles = [path.stem.partition("-")[0] for path in BANK]

    assert styles == ["cartoon"] * 12 + ["painting"] * 12 + ["pen"] * 12
    assert {open_image(path).size for path in BANK} == {(256, 256)}


def test_no_two_pictures_of_the_bank_and_of_the_samples_are_near_each_other(model):
    paths = [*BANK, *DATA.rglob("*.png")]
    miniatures = [read_features(model, path, with_pixels=False).miniature for path in paths]

    assert min((a - b).norm() for a, b in combinations(miniatures, 2)) > 3 * SAME


def test_features_are_at_unit_length_one_row_a_picture(model):
    features = style_features(model)

    assert features.shape == (36, 1280)
    assert not features.requires_grad
    torch.testing.assert_close(features.norm(dim=1), torch.ones(36))
    for place in (0, 35):
        x = read_features(model, BANK[place], with_pixels=False).head_input[0]
        torch.testing.assert_close(features[place], x / x.norm())


def test_features_are_kept_beside_the_weights_and_read_from_there(model, kept, read):
    first = compute_or_read(model)
    [file] = kept.iterdir()
    assert len(read) == 36
    read.clear()

    again = compute_or_read(model)

    assert read == []
    assert torch.equal(again, first)
    assert torch.equal(load_file(file)["head_input"], first)


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"{" + data],
    ids=["cut short", "empty", "another format"],
)
def test_a_damaged_file_is_computed_again_and_replaced(model, kept, damage):
    first = compute_or_read(model)
    [file] = kept.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))

    again = compute_or_read(model)

    assert torch.equal(again, first)
    assert [path.read_bytes() for path in kept.iterdir()] == [whole]


def other_weights(model: FrozenModel) -> FrozenModel:
    head = torch.nn.Linear(1280, 1000)
    head.load_state_dict({"weight": model.head.weight + 1e-3, "bias": model.head.bias})
    classifier = torch.nn.Sequential(*list(model.classifier)[:-1], head.requires_grad_(False))
    return replace(model, classifier=classifier)


@pytest.mark.parametrize("other", ["weights", "pictures"])
def test_other_weights_or_pictures_have_a_file_of_their_own(
    model, kept, tmp_path, monkeypatch, other
):
    compute_or_read(model)
    [first] = kept.iterdir()
    before = first.read_bytes()
    if other == "pictures":
        open_image(BANK[0]).rotate(90).save(tmp_path / "turned.webp")
        monkeypatch.setattr(bank_room, "BANK", [tmp_path / "turned.webp", *BANK[1:]])

    features = compute_or_read(other_weights(model) if other == "weights" else model)

    assert features.shape == (36, 1280)
    assert len([*kept.iterdir()]) == 2
    assert first.read_bytes() == before


def test_a_folder_that_nobody_may_write_changes_nothing(model, kept):
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a file where the folder should be; root may write into any folder")

    features = compute_or_read(model)

    assert torch.equal(features, style_features(model))


@pytest.mark.parametrize("path", BANK, ids=lambda path: path.stem)
def test_the_script_draws_the_picture_that_is_there(make_bank, tmp_path, path):
    style, _, number = path.stem.partition("-")
    seed = [list(make_bank.STYLES).index(style), int(number) - 1]

    drawn = make_bank.STYLES[style](np.random.default_rng(seed)).resize((256, 256))

    drawn.save(tmp_path / path.name, quality=80, method=6)
    again, there = (np.asarray(open_image(p), float) for p in (tmp_path / path.name, path))
    assert np.abs(again - there).mean() < 2  # of 255; codecs differ between versions
