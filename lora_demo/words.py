"""Class names: as a visitor types them, as the base model knows them, and new ones."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lora_demo.errors import LoraDemoError, brief
from lora_demo.limits import MAX_NEW_WORDS

_NAMES = Path(__file__).with_name("imagenet_classes.txt")  # as torchvision has them
CATEGORIES = tuple(_NAMES.read_text(encoding="utf-8").splitlines())
NEW_WORD = re.compile(r"\w[\w '’.,()-]{0,39}")


def find_category(name: str, categories: Sequence[str]) -> str:
    """The category that `name` means (case and underscores forgiven), or the nearest ones named."""
    name = brief(name)  # looking for near names takes time with every letter
    if name in categories:
        return name
    by_plain_name = _by_plain_name(categories)
    if _plain(name) in by_plain_name:
        return by_plain_name[_plain(name)]
    near = ", ".join(near_categories(name, categories))
    advice = f"The nearest are: {near}." if near else "No name of theirs is spelled like it."
    raise LoraDemoError(
        f"“{name}” is none of the {len(categories):,} classes that are known here. {advice}"
    )


def near_categories(name: str, categories: Sequence[str]) -> list[str]:
    """Up to five categories that are spelled alike, the nearest first."""
    by_plain_name = _by_plain_name(categories)
    near = difflib.get_close_matches(_plain(brief(name)), by_plain_name, n=5, cutoff=0.5)
    return [by_plain_name[key] for key in near]


def known_words(names: Sequence[str], categories: tuple[str, ...]) -> tuple[str, ...]:
    """The categories, and after them those of `names` that are new words.

    Raises `LoraDemoError` where such a word is empty, too long, has signs of markup, or differs
    from another by nothing that one sees.
    """
    if len(names) > len(categories) + MAX_NEW_WORDS:
        raise LoraDemoError(f"{len(names):,} words are too many.")
    new_words = tuple(name for name in names if name not in categories)
    if len(new_words) > MAX_NEW_WORDS:
        raise LoraDemoError(f"{len(new_words):,} new words are too many: {MAX_NEW_WORDS} at most.")
    seen = {_plain(category) for category in categories} if new_words else set()
    for word in new_words:
        if not NEW_WORD.fullmatch(word) or tidy(word) != word or _plain(word) in seen:
            raise LoraDemoError(
                f"“{brief(word)}” cannot be a new word. Use up to 40 letters, figures and spaces, "
                "and no word that is there already."
            )
        seen.add(_plain(word))
    return categories + new_words


def tidy(name: str) -> str:
    """Single spaces, none around it, and one form of each letter (Unicode's NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def _plain(name: str) -> str:
    return name.replace("_", " ").strip().casefold()


def _by_plain_name(categories: Sequence[str]) -> dict[str, str]:
    return {_plain(category): category for category in reversed(categories)}
