"""Match class names: what a visitor types, what the base model knows, and new words."""

import difflib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from lora_demo.errors import LoraDemoError, shorten
from lora_demo.limits import MAX_NEW_WORDS
from lora_demo.spelling import is_word, seen_of, tidy


def _lines(file_name: str) -> tuple[str, ...]:
    return tuple(Path(__file__).with_name(file_name).read_text(encoding="utf-8").splitlines())


CATEGORIES = _lines("imagenet_classes.txt")  # in torchvision's order
# Words for people, and first names from the US census that are spelled like an animal.
PEOPLE = frozenset(_lines("people.txt"))
_FAR = 3


def find_category(name: str, categories: Sequence[str]) -> str:
    """Return the category that `name` means, whatever its case and underscores.

    If it means none, raise `LoraDemoError`, which names the nearest ones.
    """
    name = shorten(name)  # the search for near names takes longer with every letter
    meant = known_category(name, categories)
    if meant is not None:
        return meant
    near = ", ".join(near_categories(name, categories))
    advice = f"The nearest are: {near}." if near else "No name of theirs is spelled like it."
    raise LoraDemoError(
        f"“{name}” is none of the {len(categories):,} classes that are known here. {advice}"
    )


def known_category(name: str, categories: Sequence[str]) -> str | None:
    """Return the category that `name` means, or None."""
    return name if name in categories else _by_sight(tuple(categories)).get(seen_of(name))


def near_categories(name: str, categories: Sequence[str]) -> list[str]:
    """Return up to five categories that are really close, the nearest first; mostly none.

    These are the ones that differ only in spaces and an ending; if there are none, kinds of it
    (“tabby cat” for “cat”); if there are none either, those that are spelled nearly like it.
    """
    forms = _forms(seen_of(shorten(name)))
    if not forms.isdisjoint(PEOPLE):
        return []  # whoever types “man” or “Leonard” means no animal
    ranked: dict[int, list[str]] = {}
    for key, category in _by_sight(tuple(categories)).items():
        ranked.setdefault(min(_distance(form, key) for form in forms), []).append(category)
    ranked.pop(_FAR, None)
    return sorted(ranked[min(ranked)], key=lambda name: (len(name), name))[:5] if ranked else []


def known_words(names: Sequence[str], categories: tuple[str, ...]) -> tuple[str, ...]:
    """Return the categories, followed by those of `names` that are new words.

    Raises `LoraDemoError` if such a word is empty, too long, has signs of markup, or looks the same
    as another. Call this before promising that a word can be taught.
    """
    if len(names) > len(categories) + MAX_NEW_WORDS:
        raise LoraDemoError(f"{len(names):,} words are too many.")
    new_words = tuple(name for name in names if name not in categories)
    if len(new_words) > MAX_NEW_WORDS:
        raise LoraDemoError(f"{len(new_words):,} new words are too many: {MAX_NEW_WORDS} at most.")
    known = _by_sight(categories)
    seen: set[str] = set()
    for word in new_words:
        looks = seen_of(word)
        if not is_word(word) or tidy(word) != word or looks in known or looks in seen:
            raise LoraDemoError(
                f"“{shorten(word)}” cannot be a new word. Use up to 40 letters, figures and "
                "spaces, and no word that is there already."
            )
        seen.add(looks)
    return categories + new_words


def _distance(typed: str, name: str) -> int:
    last = name.rsplit(" ", 1)[-1]
    if _letters(typed) == _letters(name):
        return 0
    if f" {name}".endswith(f" {typed}") or (" " in typed and f" {typed} " in f" {name} "):
        return 1  # a tabby cat is a cat, a house finch is no house
    return 2 if _is_alike(typed, name) or _is_alike(typed, last) else _FAR


def _is_alike(typed: str, name: str) -> bool:
    """Tell whether one may be a misspelling of the other."""
    if min(len(typed), len(name)) < 5 or abs(len(typed) - len(name)) > 2 or typed[0] != name[0]:
        return False
    alike = 0.8 if len(typed) > 6 or sorted(typed) == sorted(name) else 0.85
    return difflib.SequenceMatcher(None, typed, name).ratio() >= alike


def _forms(word: str) -> set[str]:
    """Return a word, and what may be its singular."""
    forms = {word}
    if word.endswith("s") and not word.endswith("ss"):
        forms.add(word[:-1])
    if word.endswith("es"):
        forms.add(word[:-3] + "y" if word.endswith("ies") else word[:-2])
    return forms


def _letters(name: str) -> str:
    return name.replace(" ", "").replace("-", "")


@lru_cache(maxsize=8)
def _by_sight(categories: tuple[str, ...]) -> dict[str, str]:
    return {seen_of(category): category for category in reversed(categories)}
