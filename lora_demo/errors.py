"""Name the errors that a visitor may see: each text says what is wrong, and what to do about it."""

from typing import TypeVar

AnyError = TypeVar("AnyError", bound=Exception)


class LoraDemoError(Exception):
    """Something that a visitor can put right; its text is shown word for word."""


class ImageError(LoraDemoError):
    """A picture file that cannot be used; `file_name` and `reason` together make the text."""

    def __init__(self, file_name: str, reason: str):
        super().__init__(f"“{file_name}” {reason}")
        self.file_name = file_name
        self.reason = reason

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str]]:
        return ImageError, (self.file_name, self.reason)


class DivergedError(LoraDemoError):
    """A training that made things worse, or whose numbers overflowed."""


class WeightsError(LoraDemoError):
    """The weights of a base model are missing, cut short, or not that model's."""


class AdapterFileError(LoraDemoError):
    """A file that is no LoRA of ours, or does not fit the base model."""


def without_traceback(error: AnyError) -> AnyError:
    """Return the error without its frames, so that keeping it keeps none of their data alive."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def shorten(value: object) -> str:
    """Cut a value from outside to its first 100 letters, so that it fits a message."""
    return str(value)[:100]
