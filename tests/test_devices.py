"""On a graphics card as on the CPU: the same answers, and no tensor on the wrong device.

Where CUDA is missing the CPU plays the card. On a computer with one, the real one is tested by
`CUDA_VISIBLE_DEVICES=0 python -m pytest tests/test_devices.py`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lora_demo import (
    AdapterSpec,
    FrozenModel,
    LabelledImage,
    Placement,
    TrainingSettings,
    compare,
    fit,
    judge,
    load_adapter,
    load_model,
    new_adapter,
    read_class_folder,
    read_examples,
    read_feature_set,
    read_features,
    save_adapter,
)
from lora_demo.backbones.weights import find_efficientnet_lite
from lora_demo.lora.evaluation import class_prototypes
from tests.conftest import DATA
from tests.support.played_gpu import GPU, PlayedGpu, WrongDeviceError

WORD = "my mug"  # new to the base model
NETWORK = "efficientnet_lite0"


@pytest.fixture
def played_card(monkeypatch) -> PlayedGpu:
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)  # would look for a driver
    return PlayedGpu()


@pytest.fixture
def card(request) -> AbstractContextManager:
    """To be entered by whoever uses the graphics card."""
    if torch.cuda.is_available():
        return nullcontext()
    return request.getfixturevalue("played_card")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture
def load(folder, monkeypatch) -> Callable[[bool], FrozenModel]:
    """The network as it is loaded where CUDA is available, or is not."""

    def load(available: bool) -> FrozenModel:
        weights = folder / f"{available}.pth"  # a model is loaded once per file
        if not weights.exists():
            weights.symlink_to(find_efficientnet_lite(0))
        with monkeypatch.context() as patch:
            patch.setattr(torch.cuda, "is_available", lambda: available)
            return load_model(NETWORK, weights)

    return load


@pytest.fixture
def on_cpu(load) -> FrozenModel:
    return load(False)


@pytest.fixture
def on_card(load, card) -> FrozenModel:
    with card:
        return load(True)


@pytest.fixture
def pictures() -> list[LabelledImage]:
    """Three of a known class, then six of a new word."""
    names = ("goldfish", "snail", "teapot")
    paths = [p.path for name in names for p in read_class_folder(DATA / name, [name])]
    return [LabelledImage(p, "goldfish" if i < 3 else WORD) for i, p in enumerate(paths[:9])]


def deepen(model: FrozenModel) -> FrozenModel:
    """With three linear layers, as VGG-19 has."""
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Linear(1280, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 1000)]
    classifier = nn.Sequential(*layers).eval().requires_grad_(False)
    for parameter in classifier.parameters():
        parameter.normal_(std=0.2, generator=generator)
    return replace(model, classifier=classifier.to(model.device))


def do_all(
    model: FrozenModel, pictures: list[LabelledImage], spec: AdapterSpec, folder: Path
) -> dict[str, object]:
    """Reads, trains, judges, saves, loads and compares: what comes out, without a tensor."""
    *_, reading = read_examples(model, pictures, spec.class_names)
    *_, trained = fit(model, reading.features, spec, TrainingSettings(1))
    *_, result = judge(model, reading.features, trained, [reading.features])
    paths = [save_adapter(result.adapter, folder / f"lora{s}") for s in (".pth", ".safetensors")]
    one = read_features(model, pictures[0].path)
    compared = [compare(model, one, load_adapter(path, model), strength=1.0) for path in paths]
    return {
        "losses": [point.loss for point in trained.points],
        "scores": (str(result.base), str(result.adapted), result.adapter.strength),
        "broken": (result.pictures_broken, result.classes_broken),
        "before": [p.probability for p in compared[1].before],
        "after": [p.probability for c in compared for p in c.after],
    }


def close(values: list[float]) -> object:
    return pytest.approx(values, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("placement", "rank", "count"),
    [
        (Placement.PIXELS, 10, 3),  # with two rows of A as one
        (Placement.PIXELS, 1, 3),
        (Placement.PIXELS, 4, 9),  # more than a batch; with the new word, here and below
        (Placement.HEAD, 4, 9),
        (Placement.GUARDED, 4, 9),
        (Placement.GUARDED, 4, 1),  # nothing can be hidden
        (Placement.CLASSIFIER, 4, 9),
    ],
)
@pytest.mark.slow
def test_all_is_done_on_the_card_and_comes_out_as_on_the_cpu(
    on_cpu, on_card, card, pictures, tmp_path, placement, rank, count
):
    names = tuple(dict.fromkeys(picture.label for picture in pictures[:count]))
    spec = AdapterSpec(NETWORK, placement, rank, class_names=names)
    change = deepen if placement is Placement.CLASSIFIER else lambda model: model

    expected = do_all(change(on_cpu), pictures[:count], spec, tmp_path)
    with card:
        found = do_all(change(on_card), pictures[:count], spec, tmp_path)

    assert found == expected | {
        name: close(expected[name]) for name in ("losses", "before", "after")
    }


@pytest.mark.parametrize("placement", Placement)
def test_equal_seeds_give_equal_numbers_on_both_devices(on_cpu, on_card, card, placement):
    spec = AdapterSpec(NETWORK, placement, rank=3, seed=5)

    with card:
        a_on_card = new_adapter(spec, on_card).lora.A
        drawn = a_on_card.detach().cpu()

    assert a_on_card.device == GPU
    assert torch.equal(drawn, new_adapter(spec, on_cpu).lora.A)


def test_the_model_lies_on_the_card_where_there_is_one(on_cpu, on_card):
    parts = (on_card.trunk, on_card.classifier)
    tensors = [t for part in parts for t in (*part.parameters(), *part.buffers())]

    assert (on_cpu.device, on_card.device) == (torch.device("cpu"), GPU)
    assert {tensor.device for tensor in tensors} == {GPU}


def test_what_is_made_of_pictures_and_of_classes_lies_on_the_card(on_card, card, pictures):
    with card:
        made = [read_feature_set(on_card, pictures[:2]), class_prototypes(on_card)]

    assert {tensor.device for features in made for tensor in vars(features).values()} == {GPU}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("placement", Placement)
def test_a_file_saved_from_the_card_is_one_for_every_computer(
    on_cpu, on_card, card, tmp_path, placement, suffix
):
    spec = AdapterSpec(NETWORK, placement, rank=3)
    expected = save_adapter(new_adapter(spec, on_cpu), tmp_path / f"cpu{suffix}")

    with card:
        path = save_adapter(new_adapter(spec, on_card), tmp_path / f"card{suffix}")

    read = torch.load if suffix == ".pth" else load_file
    found, known = read(path), read(expected)
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}
    assert all(torch.equal(found[name], known[name]) for name in known)


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: here + there,
        lambda here, there: there @ here,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: here[there[0].long()],
        lambda here, there: here.where(there > 0, here),
    ],
)
def test_the_played_card_refuses_what_lies_elsewhere(played_card, mix):
    """Else this file would prove nothing."""
    with played_card:
        here, there = torch.ones(2, 2).to(GPU), torch.ones(2, 2)

        with pytest.raises(WrongDeviceError, match=r"on cuda:0.* on cpu|on cpu.* on cuda:0"):
            mix(here, there)
        assert (mix(here, there.to(GPU)).device, (2 * here + torch.tensor(1)).device) == (GPU, GPU)
