"""Adapter files come back bit for bit, fit the article's module, and name what is wrong."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo import (
    Adapter,
    AdapterFileError,
    AdapterSpec,
    Placement,
    TrainingSettings,
    WeightsError,
    fit,
    load_adapter,
    open_adapter,
    read_adapter_spec,
    save_adapter,
)
from lora_demo.checkpoints.files import METADATA_KEY
from tests.support.hostile_adapters import with_spec
from tests.support.plain import PlainLora


@pytest.fixture(params=list(Placement))
def adapter(request, model, features):
    spec = AdapterSpec(model.name, request.param, 3, 7, ("goldfish",))
    *_, progress = fit(model, features, spec, TrainingSettings(3))
    return progress.adapter


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_format_round_trips_bit_for_bit(tmp_path, model, features, adapter, suffix):
    path = save_adapter(adapter, tmp_path / f"lora{suffix}")

    loaded = load_adapter(path, model)

    assert torch.equal(loaded.logits(features), adapter.logits(features))
    assert loaded.spec.rank == 3
    assert read_adapter_spec(path) == (adapter.spec if suffix == ".safetensors" else None)


def test_a_file_says_how_many_corrections_taught(tmp_path, adapter):
    taught = replace(adapter.spec, corrections=3)
    path = save_adapter(
        Adapter(taught, adapter.model, list(adapter.loras)), tmp_path / "a.safetensors"
    )

    assert adapter.spec.corrections == 0
    assert read_adapter_spec(path).corrections == 3


def test_a_file_from_before_corrections_loads(tmp_path, model, features, adapter):
    path = save_adapter(adapter, tmp_path / "lora.safetensors")
    values = {k: v for k, v in asdict(adapter.spec).items() if k != "corrections"}
    save_file(load_file(path), path, metadata={METADATA_KEY: json.dumps(values)})

    loaded = load_adapter(path, model)

    assert loaded.spec.corrections is None
    assert torch.equal(loaded.logits(features), adapter.logits(features))


@pytest.mark.parametrize("corrections", [-1, 10**9, 1.5, "x", True, [1]], ids=str)
def test_a_file_with_a_wrong_number_of_corrections_is_named(tmp_path, model, adapter, corrections):
    path = save_adapter(adapter, tmp_path / "lora.safetensors")
    values = {**asdict(adapter.spec), "corrections": corrections}
    save_file(load_file(path), path, metadata={METADATA_KEY: json.dumps(values)})

    with pytest.raises(AdapterFileError, match=r"lora\.safetensors"):
        load_adapter(path, model)


def test_the_articles_module_loads_our_pth_and_we_load_its(tmp_path, model, features):
    *_, progress = fit(model, features, AdapterSpec(model.name), TrainingSettings(3))
    ours = save_adapter(progress.adapter, tmp_path / "lora.pth")
    article = PlainLora(150_528, 1000, rank=10)

    article.load_state_dict(torch.load(ours, weights_only=True))
    torch.save(article.state_dict(), tmp_path / "article.pth")
    back = load_adapter(tmp_path / "article.pth", model)

    delta = article(features.pixels)
    assert torch.equal(features.logits + delta, progress.adapter.logits(features))
    assert torch.equal(back.logits(features), progress.adapter.logits(features))
    assert set(torch.load(ours, weights_only=True)) == {"A", "B"}


def test_a_file_for_another_base_model_is_refused(tmp_path, random_vgg19, adapter):
    path = save_adapter(adapter, tmp_path / "lora.safetensors")

    with pytest.raises(AdapterFileError, match=r"trained on efficientnet_lite0.*here is vgg19"):
        load_adapter(path, random_vgg19)


def test_a_pth_of_another_width_is_refused(tmp_path, random_vgg19, model, features):
    *_, progress = fit(model, features, AdapterSpec(model.name, "head"), TrainingSettings(1))
    path = save_adapter(progress.adapter, tmp_path / "lora.pth")

    with pytest.raises(AdapterFileError, match=r"“lora.pth” holds no LoRA that fits VGG-19"):
        load_adapter(path, random_vgg19)


def test_a_file_that_is_not_there_is_named(model):
    with pytest.raises(AdapterFileError, match=r"“gone.pth”.*missing"):
        load_adapter("gone.pth", model)


def test_open_adapter_brings_the_base_model_along(tmp_path, model, adapter):
    path = save_adapter(adapter, tmp_path / "lora.safetensors")

    opened_model, opened = open_adapter(path, "vgg19")

    assert opened_model is model
    assert opened.spec == adapter.spec


@pytest.mark.parametrize("name", ["nope", "", "<img src=x>", None, [], {}, 7])
def test_a_file_for_no_known_network_is_named(tmp_path, name):
    with_spec(tmp_path / "lora.safetensors", model_name=name)

    with pytest.raises(AdapterFileError, match=r"“lora.safetensors”"):
        open_adapter(tmp_path / "lora.safetensors", "vgg19")


def test_a_file_for_a_network_whose_weights_are_missing_is_named(tmp_path):
    with_spec(tmp_path / "lora.safetensors", model_name="vgg19")

    with pytest.raises(WeightsError, match=r"“lora.safetensors” needs another network"):
        open_adapter(tmp_path / "lora.safetensors", "vgg19")


def test_another_suffix_is_refused(tmp_path, model, adapter):
    with pytest.raises(AdapterFileError, match="must end in"):
        save_adapter(adapter, tmp_path / "lora.bin")
    with pytest.raises(AdapterFileError, match="must end in"):
        load_adapter(tmp_path / "lora.bin", model)
