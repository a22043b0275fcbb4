"""Words in any script: which signs make one, and which words look the same."""

import re
import unicodedata

from lora_demo.limits import MAX_WORD_SIGNS

JOINERS = "\u200c\u200d"  # unseen; inside a word of many scripts they shape the letters beside them
_LETTERLIKE_BUT_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
# A letter has the marks of its vowels and tones with it (Burmese five), and perhaps a joiner.
_WORD = re.compile(r"(?=L)(LM{0,6}(J(?=L))?|P)*")


def is_word(text: str) -> bool:
    """Whether it begins with a letter or figure, and has nothing that is no part of a word.

    A letter may have marks, and be joined to the next; what is not seen, or turns the direction of
    reading, is refused.
    """
    if len(text) > MAX_WORD_SIGNS or _LETTERLIKE_BUT_UNSEEN.search(text):
        return False
    return _WORD.fullmatch("".join(map(_kind, text))) is not None


def tidy(name: str) -> str:
    """Single spaces, none around it, and one form of each letter (Unicode's NFKC).

    The vowel AM of Thai and Lao stays whole: its two halves would not stand well above a letter.
    """
    name = unicodedata.normalize("NFKC", name)
    name = name.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")
    return " ".join(name.split())


def seen_of(name: str) -> str:
    """What one sees of a name; case and underscores are forgiven."""
    for joiner in JOINERS:
        name = name.replace(joiner, "")
    return name.replace("_", " ").strip().casefold()


def _kind(sign: str) -> str:
    """L for what can stand alone, M for the marks on it, J, P; X for all that is in no word."""
    if sign in JOINERS:
        return "J"
    if sign in " '’.,()-":
        return "P"
    category = unicodedata.category(sign)
    if category in ("Mn", "Mc"):
        return "M"
    return "L" if category[0] in "LN" or sign == "_" else "X"
