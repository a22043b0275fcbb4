"""What each picture shows: classes that the network knows, and new words."""

from collections.abc import Iterable

from lora_demo.errors import LoraDemoError
from lora_demo.images import LabelledImage
from lora_demo.ui.feedback import uploaded
from lora_demo.words import CATEGORIES, known_category
from lora_demo.writing import tidy

Items = list[tuple[str, str | None]]  # what a gallery holds: (path, caption)


def to_labelled(items: Items | None, class_name: str | None) -> list[LabelledImage]:
    """A gallery's pictures with their classes. Raises `LoraDemoError` on a file from elsewhere."""
    if not items:
        raise LoraDemoError("There are no pictures yet. Add some in step 1.")
    shown = words_shown(items, class_name)
    if None in shown:
        raise LoraDemoError("What do the pictures show? Choose the right answer in step 2.")
    pairs = zip(items, shown, strict=True)
    return [LabelledImage(uploaded(path), word) for (path, _), word in pairs]


def words_shown(items: Items | None, class_name: str | None) -> list[str | None]:
    """What each picture shows: its own caption, else the one choice for all, else not known yet."""
    names = [caption or class_name for _, caption in items or ()]
    return [to_word(name) if name else None for name in names]


def subject_of(items: Items | None, class_name: str | None) -> tuple:
    """What a lesson is about: each picture with its word."""
    paths = [path for path, _ in items or ()]
    return tuple(zip(paths, words_shown(items, class_name), strict=True))


def taught_words(pictures: Iterable[LabelledImage]) -> tuple[str, ...]:
    """Each class once, in the order in which it first comes."""
    return tuple(dict.fromkeys(picture.label for picture in pictures))


def to_word(typed: str) -> str:
    """The class that is meant; what is none of the 1,000 is a new word."""
    return known_category(typed, CATEGORIES) or tidy(typed)
