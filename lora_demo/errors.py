"""The errors a visitor may see: each text says which thing, what is wrong, and what to do."""


class LoraDemoError(Exception):
    """Something a visitor can put right; the text is shown word for word."""


class ImageError(LoraDemoError):
    """A picture file that cannot be used; `file_name` and `reason` together make the text."""

    def __init__(self, file_name: str, reason: str):
        super().__init__(f"“{file_name}” {reason}")
        self.file_name = file_name
        self.reason = reason

    def __reduce__(self) -> tuple:
        return ImageError, (self.file_name, self.reason)


class DivergedError(LoraDemoError):
    """A training that made things worse, or that ended in no numbers at all."""


class WeightsError(LoraDemoError):
    """The weights of a base model are missing, cut short, or not that model's."""


class AdapterFileError(LoraDemoError):
    """A file that is no LoRA of ours, or one that does not fit the base model."""


def without_traceback(error: Exception) -> Exception:
    """To be kept: without the frames that it came through, which hold what was worked on."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def shorten(value: object) -> str:
    """A value from outside, fit for a message: its first 100 letters."""
    return str(value)[:100]
