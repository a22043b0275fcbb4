"""The base models: networks with ImageNet weights, frozen, each cut into a trunk and a head."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import VGG19_Weights, vgg19

from lora_demo.errors import LoraDemoError, WeightsError, brief
from lora_demo.weights import find_efficientnet_lite, find_vgg19, read_state_dict


@dataclass(frozen=True)
class BaseModel:
    """One row of the table of base models: how to build, load, and cut it."""

    title: str
    about: str
    build: Callable[[], nn.Module]  # without weights
    find_weights: Callable[[], Path]
    name_weights: Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]
    cut: Callable[[nn.Module], tuple[nn.Sequential, nn.Sequential]]  # trunk, classifier
    preprocess: Callable[[Image.Image], Tensor]  # RGB picture -> (3, input_px, input_px)
    input_px: int


@dataclass(frozen=True, eq=False)  # eq: a model is itself, which makes it a key of the cache
class FrozenModel:
    """A loaded base model; nothing changes it.

    classifier(trunk(x)) is the whole network, bit for bit.
    """

    name: str
    title: str
    trunk: nn.Sequential  # (N, 3, input_px, input_px) -> (N, T)
    classifier: nn.Sequential  # (N, T) -> (N, C) logits; all the linear layers
    preprocess: Callable[[Image.Image], Tensor]
    input_px: int
    categories: tuple[str, ...]  # C class names, all different

    @property
    def head(self) -> nn.Linear:
        """The last layer: (N, D) -> (N, C)."""
        return self.classifier[-1]

    @property
    def parameter_count(self) -> int:
        return sum(p.numel() for part in (self.trunk, self.classifier) for p in part.parameters())


CATEGORIES = tuple(VGG19_Weights.IMAGENET1K_V1.meta["categories"])


def _vgg19_names(network: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm keeps VGG's first linear layers as convolutions, with equal numbers in equal order."""
    if "head.fc.weight" not in tensors:
        return tensors
    own = network.state_dict()
    renamed = {
        name.replace("pre_logits.fc1", "classifier.0")
        .replace("pre_logits.fc2", "classifier.3")
        .replace("head.fc", "classifier.6"): tensor
        for name, tensor in tensors.items()
    }
    return {
        n: t.reshape(own[n].shape) if n.startswith("classifier") else t for n, t in renamed.items()
    }


def _cut_vgg19(network: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    return nn.Sequential(network.features, network.avgpool, nn.Flatten()), network.classifier


def _efficientnet_names(network: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors have names of their own, but stand in timm's order.

    Its last matrix is stored column by column, for which other sums in another order are used.
    """
    rows_first = (tensor.contiguous() for tensor in tensors.values())
    return dict(zip(network.state_dict(), rows_first, strict=True))


def _cut_efficientnet(network: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    stages = network.conv_stem, network.bn1, network.blocks, network.conv_head, network.bn2
    return nn.Sequential(*stages, network.global_pool), nn.Sequential(network.classifier)


def _efficientnet_lite(number: int, input_px: int, about: str) -> BaseModel:
    timm_name = f"tf_efficientnet_lite{number}"
    config = timm.data.resolve_data_config(
        pretrained_cfg=timm.get_pretrained_cfg(timm_name).to_dict()
    )
    return BaseModel(
        title=f"EfficientNet-Lite{number}",
        about=about,
        build=partial(timm.create_model, timm_name),
        find_weights=partial(find_efficientnet_lite, number),
        name_weights=_efficientnet_names,
        cut=_cut_efficientnet,
        preprocess=timm.data.create_transform(**config, is_training=False),
        input_px=input_px,
    )


BASE_MODELS: dict[str, BaseModel] = {
    "vgg19": BaseModel(
        title="VGG-19",
        about="the article's network, large and classic",
        build=vgg19,
        find_weights=find_vgg19,
        name_weights=_vgg19_names,
        cut=_cut_vgg19,
        preprocess=VGG19_Weights.IMAGENET1K_V1.transforms(),
        input_px=224,
    ),
    "efficientnet_lite0": _efficientnet_lite(0, 224, "built in, small and quick"),
    "efficientnet_lite1": _efficientnet_lite(1, 240, "a little larger"),
    "efficientnet_lite2": _efficientnet_lite(2, 260, "larger again"),
}
BUILT_IN = "efficientnet_lite0"  # its weights come with the app
_loading = threading.Lock()


def load_model(name: str, weights: Path | str | None = None) -> FrozenModel:
    """A base model with its weights, frozen, in eval mode, loaded once per weights file.

    `weights` names a file in place of the usual sources. Raises `WeightsError` where the weights
    are missing, cut short or another network's.
    """
    if name not in list(BASE_MODELS):  # a list: callers may send what has no hash
        raise LoraDemoError(
            f"“{brief(name)}” is no base model. Choose one of: {', '.join(BASE_MODELS)}."
        )
    path = Path(weights) if weights else BASE_MODELS[name].find_weights()
    with _loading:
        return _load(name, path)


@cache
def _load(name: str, path: Path) -> FrozenModel:
    row = BASE_MODELS[name]
    with torch.device("meta"):  # allocates nothing: the file's own tensors become the weights
        network = row.build()
    tensors = read_state_dict(path)
    try:
        network.load_state_dict(row.name_weights(network, tensors), strict=True, assign=True)
    except Exception as error:  # whatever a foreign file holds: no dict, other names, other shapes
        raise WeightsError(
            f"“{path.name}” holds no weights of {row.title}: names or shapes differ. Put the right "
            "file in its place, or go on with EfficientNet-Lite0."
        ) from error
    trunk, classifier = (part.eval().requires_grad_(False) for part in row.cut(network))
    return FrozenModel(name, row.title, trunk, classifier, row.preprocess, row.input_px, CATEGORIES)
