"""Judge words in any script: which signs make one, and which words look the same."""

import re
import unicodedata

from lora_demo.limits import MAX_WORD_SIGNS

JOINERS = "\u200c\u200d"  # invisible; in many scripts they shape the letters beside them
_LETTERLIKE_BUT_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
# A letter carries the marks of its vowels and tones (up to five in Burmese), and perhaps a joiner.
_WORD = re.compile(r"(?=L)(LM{0,6}(J(?=L))?|P)*")


def is_word(text: str) -> bool:
    """Tell whether the text begins with a letter or figure and consists only of parts of words.

    A letter may have marks and be joined to the next one. Invisible signs, and those that turn the
    direction of reading, are refused.
    """
    if len(text) > MAX_WORD_SIGNS or _LETTERLIKE_BUT_UNSEEN.search(text):
        return False
    return _WORD.fullmatch("".join(map(_kind, text))) is not None


def tidy(name: str) -> str:
    """Leave single spaces, none around the name, and one form of each letter (Unicode's NFKC).

    The vowel AM of Thai and Lao stays whole, as its two halves do not stand well above a letter.
    """
    name = unicodedata.normalize("NFKC", name)
    name = name.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")
    return " ".join(name.split())


def seen_of(name: str) -> str:
    """Reduce a name to what one sees of it, whatever its case and underscores."""
    for joiner in JOINERS:
        name = name.replace(joiner, "")
    return name.replace("_", " ").strip().casefold()


def _kind(sign: str) -> str:
    """Sort signs: L can stand alone, M is a mark on one, J a joiner, P punctuation, X the rest."""
    if sign in JOINERS:
        return "J"
    if sign in " '’.,()-":
        return "P"
    category = unicodedata.category(sign)
    if category in ("Mn", "Mc"):
        return "M"
    return "L" if category[0] in "LN" or sign == "_" else "X"
