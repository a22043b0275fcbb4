"""Pictures that a lesson is not to touch: photos, the other sets, the visitor's own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from gradio.media import get_image  # photos that come with Gradio

from lora_demo.backbones import FrozenModel
from lora_demo.errors import ImageError
from lora_demo.images import class_folders, picture_files
from lora_demo.ui.feedback import uploaded
from lora_demo.ui.labels import Items, to_word
from lora_demo.ui.pictures import DATA

if TYPE_CHECKING:
    from lora_demo.features import Features

PHOTOS = [get_image(f) for f in ("lion.jpg", "cheetah1.jpg", "tower.jpg", "bus.png", "groot.jpeg")]
OTHER_SETS = "pictures of our other sets"
Unrelated = dict[str, dict[str, "Features"]]  # by group, then by path


def unrelated_features(
    model: FrozenModel, taught: Sequence[str], own: Items | None = None
) -> Unrelated:
    """What the frozen network makes of them; files that cannot be read are left out."""
    from lora_demo.features import read_features

    others = [folder for folder in class_folders(DATA) if to_word(folder.name) not in taught]
    groups = {
        "photos of other things": PHOTOS,
        OTHER_SETS: [str(path) for folder in others for path in picture_files(folder)],
        "pictures of yours": [str(uploaded(path)) for path, _ in own or ()],
    }
    found: Unrelated = {name: {} for name in groups}
    for name, paths in groups.items():
        for path in paths:
            with suppress(ImageError):
                found[name][path] = read_features(model, path)
    return found


def flatten(unrelated: Unrelated) -> list[Features]:
    return [features for group in unrelated.values() for features in group.values()]
