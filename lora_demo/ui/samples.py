"""Our own pictures: to learn from, to try, and those that a lesson is not to touch."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from gradio.media import get_image  # photos that come with Gradio

from lora_demo import (
    CATEGORIES,
    LabelledImage,
    class_folders,
    find_category,
    picture_files,
    read_class_folder,
    read_class_folders,
)
from lora_demo.serving.recording import Task
from lora_demo.serving.session import Session
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
OF_THE_VISITOR = "pictures of yours"


def held_out(set_names: Iterable[str]) -> list[str]:
    """Hand out the pictures that are not learned from, in `data/<category>/held_out/`."""
    return [hand_out(path) for name in set_names for path in _held_out(DATA / name)]


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


def unrelated_paths(
    words: Sequence[str], own: Items | None = None, taught: Iterable[LabelledImage] = ()
) -> dict[str, list[Path]]:
    """List by group what a lesson of these words is not to touch, each picture once.

    Of the originals that `taught`, corrections and examples of these words test nothing, and a set
    of which some are examples, be it under another name, shows the thing. Raises `LoraDemoError` if
    one of the visitor's own was not uploaded.
    """
    shown = {picture.path for picture in taught if picture.label in (None, *words)}
    examples = {picture.path for picture in taught if picture.label in words}
    mine = [original_of(uploaded(path)) for path, _ in own or ()]
    groups = {OF_OTHER_THINGS: [Path(path) for path in PHOTOS]}
    for folder in class_folders(DATA):
        drawings = _drawings(folder)
        if to_word(folder.name) not in words and examples.isdisjoint(drawings):
            groups[drawings_of(folder.name)] = drawings
    ours = {name: [p for p in paths if p not in mine] for name, paths in groups.items()}
    groups = {**ours, OF_THE_VISITOR: list(dict.fromkeys(mine))}
    return {name: [p for p in paths if p not in shown] for name, paths in groups.items()}


def without_drawings_of(words: Iterable[str | None], items: Items | None) -> Items:
    """Leave out our own drawings of what is taught now: they were of other things before."""
    folders = [folder for folder in class_folders(DATA) if to_word(folder.name) in words]
    drawings = {path for folder in folders for path in _drawings(folder)}
    return [item for item in items or [] if original_of(Path(item[0])) not in drawings]


def drawings_of(set_name: str) -> str:
    return f"our drawings of a {set_name}"


def _drawings(folder: Path) -> list[Path]:
    """All of a set."""
    return [*picture_files(folder), *_held_out(folder)]


def _held_out(folder: Path) -> list[Path]:
    """Those that nobody learns from; a set of one's own may have none."""
    return sorted((folder / "held_out").glob("[!.]*"))


def original_of(path: Path) -> Path:
    """Return our own picture that this file is a copy of; else the file itself."""
    try:
        is_like = path.stat().st_size in {size for size, _ in _originals()}
        return _originals().get(_digest(path), path) if is_like else path
    except OSError:  # it was deleted meanwhile
        return path


def is_ours(path: Path) -> bool:
    return path in _originals().values()


@cache  # each look reads every picture of ours
def _originals() -> dict[tuple[int, bytes], Path]:
    drawings = [path for folder in class_folders(DATA) for path in _drawings(folder)]
    return {_digest(path): path for path in [*map(Path, PHOTOS), *drawings]}


def _digest(path: Path) -> tuple[int, bytes]:
    data = path.read_bytes()
    return len(data), hashlib.sha256(data).digest()


def build_task(
    session: Session,
    pictures: list[LabelledImage],
    words: Sequence[str],
    alone: Items | None,
) -> Task:
    """Make a task of labelled pictures and of those that show none of these, which teach, too.

    Raises `LoraDemoError` if one of these was not uploaded.
    """
    corrections = [LabelledImage(uploaded(path), None) for path, _ in alone or ()]
    pictures = [*pictures, *corrections]
    session.remember_taught(originals(pictures))
    return Task(pictures, flatten(unrelated_paths(words, taught=session.taught)))


def originals(pictures: Iterable[LabelledImage]) -> list[LabelledImage]:
    return [replace(picture, path=original_of(picture.path)) for picture in pictures]


def flatten(groups: dict[str, list[Path]]) -> list[Path]:
    return [path for group in groups.values() for path in group]
