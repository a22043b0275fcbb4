"""Pictures that a lesson is not to touch: photos, drawings of other things, the visitor's own."""

from collections.abc import Sequence

from gradio.media import get_image  # photos that come with Gradio

from lora_demo.backbones import FrozenModel
from lora_demo.features import Features, read_features
from lora_demo.images import class_folders
from lora_demo.ui.feedback import uploaded
from lora_demo.ui.pictures import DATA, Items

PHOTOS = [get_image(f) for f in ("lion.jpg", "cheetah1.jpg", "tower.jpg", "bus.png", "groot.jpeg")]
DRAWINGS = "drawings of other things"


def unrelated_pictures(taught: Sequence[str], own: Items | None = None) -> dict[str, list[str]]:
    """Paths by what they are."""
    others = [f for f in class_folders(DATA) if f.name.replace("_", " ") not in taught]
    return {
        "photos of other things": PHOTOS,
        DRAWINGS: [str(path) for folder in others for path in sorted(folder.glob("[!.]*.*"))],
        "pictures of yours": [str(uploaded(path)) for path, _ in own or ()],
    }


def unrelated_features(
    model: FrozenModel, taught: Sequence[str], own: Items | None = None
) -> list[Features]:
    groups = unrelated_pictures(taught, own).values()
    return [read_features(model, path) for paths in groups for path in paths]
