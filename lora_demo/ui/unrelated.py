"""Pictures that a lesson is not to touch: photos, the other sets, the visitor's own."""

from collections.abc import Sequence
from pathlib import Path

from gradio.media import get_image  # photos that come with Gradio

from lora_demo.class_folders import class_folders, picture_files
from lora_demo.ui.feedback import uploaded
from lora_demo.ui.labels import Items, to_word
from lora_demo.ui.samples import DATA

# What each shows, where the network has a word for it. A photo is a control only where the network
# names it rightly before any lesson; the other two are there to try, and can only change.
SHOWN = {
    "lion.jpg": "lion",
    "cheetah1.jpg": "cheetah",
    "tower.jpg": None,  # the Eiffel Tower
    "cheetah.jpg": "cheetah",  # another one, running
    "bus.png": None,  # drawn, not photographed
}
PHOTOS = {get_image(name): word for name, word in SHOWN.items()}
OF_OTHER_THINGS = "photos of other things"
OTHER_SETS = "pictures of our other sets"
OF_THE_VISITOR = "pictures of yours"


def unrelated_paths(taught: Sequence[str], own: Items | None = None) -> dict[str, list[Path]]:
    """By group. Raises `LoraDemoError` where one of their own was not uploaded."""
    others = [folder for folder in class_folders(DATA) if to_word(folder.name) not in taught]
    return {
        OF_OTHER_THINGS: [Path(path) for path in PHOTOS],
        OTHER_SETS: [path for folder in others for path in picture_files(folder)],
        OF_THE_VISITOR: [uploaded(path) for path, _ in own or ()],
    }


def flatten(groups: dict[str, list[Path]]) -> list[Path]:
    return [path for group in groups.values() for path in group]
