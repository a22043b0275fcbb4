"""Numbers and lists of words as a visitor reads them."""

from collections.abc import Sequence

LISTED = 3  # words, before “and 2 more”


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def either(words: Sequence[str]) -> str:
    """Name the taught words in a sentence; a plain file does not say them."""
    named = [f"“{word}”" for word in words[:LISTED]] + ["another one"] * (len(words) > LISTED)
    return " or ".join(named) or "what it was taught"


def file_size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def listed(words: Sequence[str]) -> str:
    """Join the first three words, and say how many more there are."""
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return ", ".join(words[:LISTED]) + more


def probability(share: float) -> str:
    """Write a per cent that is never rounded to 0 or 100."""
    if share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if share >= 0.9995 else f"{share * 100:.1f} %"


def quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
