"""The base models: networks with ImageNet weights, frozen, each cut into a trunk and a head."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.backbones.weights import find_efficientnet_lite, find_vgg19, read_state_dict
from lora_demo.class_names import CATEGORIES
from lora_demo.errors import LoraDemoError, WeightsError, shorten

if TYPE_CHECKING:  # to import torch takes seconds; what needs it does so itself
    import torch
    from PIL import Image
    from torch import Tensor, nn


@dataclass(frozen=True)
class BaseModel:
    """What is known of a base model before it is loaded; `networks` has how that is done."""

    title: str
    about: str
    find_weights: Callable[[], Path]
    linear_layers: int  # of its classifier
    input_px: int


@dataclass(frozen=True, eq=False)  # eq: a model is itself, which makes it a key of the cache
class FrozenModel:
    """A loaded base model; nothing changes it.

    classifier(trunk(x)) is the whole network: VGG-19 bit for bit, the others but for rounding.
    """

    name: str
    title: str
    trunk: nn.Sequential  # (N, 3, input_px, input_px) -> (N, T)
    classifier: nn.Sequential  # (N, T) -> (N, C) logits; all the linear layers
    preprocess: Callable[[Image.Image], Tensor]  # RGB picture -> (3, input_px, input_px)
    input_px: int
    categories: tuple[str, ...]  # C class names, all different
    parameter_count: int  # as in its paper: where the trunk is folded, it holds fewer

    def __reduce__(self) -> tuple:
        """For another process it is its name: that loads it from its own disk."""
        return load_model, (self.name,)

    @property
    def head(self) -> nn.Linear:
        """The last layer: (N, D) -> (N, C)."""
        return self.classifier[-1]

    @property
    def device(self) -> torch.device:
        """Where its weights lie, and with them all that is made for it."""
        return self.head.weight.device

    @property
    def linear_shapes(self) -> list[tuple[int, int]]:
        """(numbers in, numbers out) of the classifier's linear layers."""
        weights = [layer.weight for layer in self.classifier if hasattr(layer, "weight")]
        return [(weight.shape[1], weight.shape[0]) for weight in weights]


def _efficientnet_lite(number: int, input_px: int, about: str) -> BaseModel:
    return BaseModel(
        title=f"EfficientNet-Lite{number}",
        about=about,
        find_weights=partial(find_efficientnet_lite, number),
        linear_layers=1,
        input_px=input_px,
    )


BASE_MODELS: dict[str, BaseModel] = {
    "vgg19": BaseModel(
        title="VGG-19",
        about="the article's network, large and classic",
        find_weights=find_vgg19,
        linear_layers=3,
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

    It lies on the first graphics card where CUDA is available, and otherwise on the CPU.
    `weights` names a file in place of the usual sources. Raises `WeightsError` where the weights
    are missing, cut short or another network's.
    """
    if name not in list(BASE_MODELS):  # a list: callers may send what has no hash
        raise LoraDemoError(
            f"“{shorten(name)}” is no base model. Choose one of: {', '.join(BASE_MODELS)}."
        )
    path = Path(weights) if weights else BASE_MODELS[name].find_weights()
    with _loading:
        return _load(name, path)


@cache
def _load(name: str, path: Path) -> FrozenModel:
    import torch

    from lora_demo.backbones.networks import NETWORKS

    row, recipe = BASE_MODELS[name], NETWORKS[name]
    with torch.device("meta"):  # allocates nothing: the file's own tensors become the weights
        network = recipe.build()
    tensors = read_state_dict(path)
    try:
        network.load_state_dict(recipe.name_weights(network, tensors), strict=True, assign=True)
    except Exception as error:  # whatever a foreign file holds: no dict, other names, other shapes
        raise WeightsError(
            f"“{path.name}” holds no weights of {row.title}: names or shapes differ. Put the right "
            "file in its place, or go on with EfficientNet-Lite0."
        ) from error
    count = sum(parameter.numel() for parameter in network.parameters())
    device = "cuda:0" if torch.cuda.is_available() else "cpu"  # there the tensors stay the file's
    parts = (part.eval().requires_grad_(False) for part in recipe.cut(network))
    trunk, classifier = (part.to(device) for part in parts)
    return FrozenModel(
        name, row.title, trunk, classifier, recipe.preprocess, row.input_px, CATEGORIES, count
    )
