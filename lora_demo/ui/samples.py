"""Our own pictures: the sets to learn from, and others of the same things to try."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lora_demo.class_folders import read_class_folder, read_class_folders
from lora_demo.ui.feedback import hand_out, visitor_errors
from lora_demo.ui.labels import Items
from lora_demo.words import CATEGORIES, find_category

DATA = Path(__file__).parents[2] / "data"


def held_out(set_names: Iterable[str]) -> list[str]:
    """Copies of the pictures that are not learned from, in `data/<category>/held_out/`."""
    folders = [DATA / name / "held_out" for name in set_names]
    return [hand_out(path) for folder in folders for path in sorted(folder.glob("[!.]*"))]


def read_set(name: str) -> tuple[Items, str]:
    """The pictures, and the word for all of them."""
    with visitor_errors():
        pictures = read_class_folder(DATA / name, CATEGORIES)
        return [(hand_out(p.path), None) for p in pictures], find_category(name, CATEGORIES)


def read_all_sets() -> tuple[Items, None]:
    """Each picture with its class as caption; the one choice for all is left open."""
    with visitor_errors():
        pictures = read_class_folders(DATA, CATEGORIES)
        return [(hand_out(p.path), p.label) for p in pictures], None


@cache  # each look reads every picture of the sets
def sample_words() -> dict[str, str]:
    """What each picture of our sets shows, by the path of its copy."""
    return dict(read_all_sets()[0])
