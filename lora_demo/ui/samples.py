"""Our own pictures: to learn from, to try, and those that a lesson is not to touch."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from gradio.media import get_image  # photos that come with Gradio

from lora_demo import (
    CATEGORIES,
    class_folders,
    find_category,
    picture_files,
    read_class_folder,
    read_class_folders,
)
from lora_demo.ui.events import visitor_errors
from lora_demo.ui.uploads import Items, hand_out, to_word, uploaded

DATA = Path(__file__).parents[2] / "data"
# What each shows, if the network has a word for it. A photo is a control only if the network
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


def held_out(set_names: Iterable[str]) -> list[str]:
    """Hand out the pictures that are not learned from, in `data/<category>/held_out/`."""
    folders = [DATA / name / "held_out" for name in set_names]
    return [hand_out(path) for folder in folders for path in sorted(folder.glob("[!.]*"))]


def read_set(name: str) -> tuple[Items, str]:
    """Read a set: its pictures, and the word for all of them."""
    with visitor_errors():
        pictures = read_class_folder(DATA / name, CATEGORIES)
        return [(hand_out(p.path), None) for p in pictures], find_category(name, CATEGORIES)


def read_all_sets() -> tuple[Items, None]:
    """Read all sets, each picture with its class as caption; the word for all is left open."""
    with visitor_errors():
        pictures = read_class_folders(DATA, CATEGORIES)
        return [(hand_out(p.path), p.label) for p in pictures], None


@cache  # each look reads every picture of the sets
def sample_words() -> dict[str, str | None]:
    """Tell what each picture of our sets shows, by the path of its copy."""
    return dict(read_all_sets()[0])


def unrelated_paths(taught: Sequence[str], own: Items | None = None) -> dict[str, list[Path]]:
    """List them by group. Raises `LoraDemoError` if one of the visitor's was not uploaded."""
    others = [folder for folder in class_folders(DATA) if to_word(folder.name) not in taught]
    return {
        OF_OTHER_THINGS: [Path(path) for path in PHOTOS],
        OTHER_SETS: [path for folder in others for path in picture_files(folder)],
        OF_THE_VISITOR: [uploaded(path) for path, _ in own or ()],
    }


def flatten(groups: dict[str, list[Path]]) -> list[Path]:
    return [path for group in groups.values() for path in group]
