"""List the base models and load them: ImageNet networks, frozen, cut into a trunk and a head."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.backbones.weights import find_efficientnet_lite, find_vgg19, read_state_dict
from lora_demo.class_names import CATEGORIES
from lora_demo.errors import LoraDemoError, WeightsError, shorten

if TYPE_CHECKING:  # importing torch takes seconds; functions that need it import it
    import torch
    from PIL import Image
    from torch import Tensor, nn


@dataclass(frozen=True)
class BaseModel:
    """What is known of a base model before it is loaded; `networks` knows how to load it."""

    title: str
    about: str
    find_weights: Callable[[], Path]
    linear_shapes: Sequence[tuple[int, int]]  # (inputs, outputs) of its classifier's layers
    input_px: int


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class FrozenModel:
    """A loaded base model; nothing changes it.

    classifier(trunk(x)) is the whole network: VGG-19 bit for bit, the others up to rounding.
    """

    name: str
    title: str
    trunk: nn.Sequential  # (N, 3, input_px, input_px) -> (N, T)
    classifier: nn.Sequential  # (N, T) -> (N, C) logits; has all linear layers
    preprocess: Callable[[Image.Image], Tensor]  # RGB picture -> (3, input_px, input_px)
    input_px: int
    categories: tuple[str, ...]  # C class names, all different
    parameter_count: int  # as in its paper; a folded trunk holds fewer

    def __reduce__(self) -> tuple:
        """Pickle only the name: another process loads the model from its own disk."""
        return load_model, (self.name,)

    @property
    def head(self) -> nn.Linear:
        """The last layer: (N, D) -> (N, C)."""
        return self._linear_layers[-1]

    @property
    def device(self) -> torch.device:
        """The device of its weights, and of all tensors made for it."""
        return self.head.weight.device

    @property
    def linear_shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer of the classifier."""
        return [(layer.in_features, layer.out_features) for layer in self._linear_layers]

    @property
    def _linear_layers(self) -> list[nn.Linear]:
        from torch import nn

        return [layer for layer in self.classifier if isinstance(layer, nn.Linear)]


def _efficientnet_lite(number: int, input_px: int, about: str) -> BaseModel:
    return BaseModel(
        title=f"EfficientNet-Lite{number}",
        about=about,
        find_weights=partial(find_efficientnet_lite, number),
        linear_shapes=[(1280, 1000)],
        input_px=input_px,
    )


BASE_MODELS: dict[str, BaseModel] = {
    "vgg19": BaseModel(
        title="VGG-19",
        about="the article's network, large and classic",
        find_weights=find_vgg19,
        linear_shapes=[(25_088, 4096), (4096, 4096), (4096, 1000)],
        input_px=224,
    ),
    "efficientnet_lite0": _efficientnet_lite(0, 224, "built in, small and quick"),
    "efficientnet_lite1": _efficientnet_lite(1, 240, "a little larger"),
    "efficientnet_lite2": _efficientnet_lite(2, 260, "larger again"),
}
BUILT_IN = "efficientnet_lite0"  # its weights come with the app
_loading = threading.Lock()


def load_model(name: str, weights: Path | str | None = None) -> FrozenModel:
    """Load a base model, frozen and in eval mode, once per weights file.

    It is put on the first graphics card if CUDA is available, otherwise on the CPU. `weights` names
    a file to use instead of the usual sources. Raises `WeightsError` if the weights are missing,
    cut short or another network's.
    """
    if name not in list(BASE_MODELS):  # a list: what a caller sends may have no hash
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
    with torch.device("meta"):  # allocates nothing: the file's tensors become the weights
        network = recipe.build()
    tensors = read_state_dict(path)
    try:
        network.load_state_dict(recipe.name_weights(network, tensors), strict=True, assign=True)
    except Exception as error:  # a foreign file may hold no dict, other names, other shapes
        raise WeightsError(
            f"“{path.name}” holds no weights of {row.title}: names or shapes differ. Put the right "
            "file in its place, or go on with EfficientNet-Lite0."
        ) from error
    count = sum(parameter.numel() for parameter in network.parameters())
    device = "cuda:0" if torch.cuda.is_available() else "cpu"  # on the CPU the tensors stay mapped
    parts = (part.eval().requires_grad_(False) for part in recipe.cut(network))
    trunk, classifier = (part.to(device) for part in parts)
    return FrozenModel(
        name, row.title, trunk, classifier, recipe.preprocess, row.input_px, CATEGORIES, count
    )
