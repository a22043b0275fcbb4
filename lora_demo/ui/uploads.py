"""Files that the visitor uploaded, checked; and what each picture shows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from lora_demo import CATEGORIES, LabelledImage, LoraDemoError, known_category, shorten, tidy
from lora_demo.serving.sessions import SESSIONS
from lora_demo.serving.storage import STORAGE, StorageFullError

NOT_UPLOADED = "That file was not uploaded here. Add it to the page once more."
MAX_PATH = 4096  # letters; no file system takes more
Items = list[tuple[str, str | None]]  # what a gallery holds: (path, caption)


def uploaded(path: object) -> Path:
    """Check that a path lies in the folder of uploads: Gradio 6.31 lets clients name any file."""
    root = Path(get_upload_folder()).resolve()
    try:
        resolved = Path(str(path)[:MAX_PATH]).resolve()  # takes time with the square of its parts
        if resolved.is_relative_to(root) and resolved.is_file():
            return resolved
    except (ValueError, OSError):  # a NUL in it, or a name without end
        pass
    raise LoraDemoError(NOT_UPLOADED)


def uploads_among(paths: Iterable[object]) -> Iterator[Path]:
    """Leave out what was not uploaded here, or is no path."""
    for path in paths:
        with suppress(LoraDemoError):
            yield uploaded(path)


def hand_out(path: str | Path) -> str:
    """Copy one of our own pictures, once, to a place that the page may fetch; return its path.

    Gradio hands out only files of its own cache and of the working folder, and both this app and
    Gradio may be installed elsewhere.
    """
    return save_file_to_cache(path, get_upload_folder())


def files_folder() -> Path:
    """Return where the files of visitors lie: among the uploads, so that Gradio serves them."""
    return Path(get_upload_folder()) / "files"


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a folder for a file that the page may fetch."""
    folder = STORAGE.new_folder(files_folder())
    try:
        yield folder
    finally:
        STORAGE.close(folder)
        with suppress(StorageFullError):  # it is there already; the next upload is refused
            STORAGE.grow(folder, 0, SESSIONS.folders)


def to_labelled(items: Items | None, class_name: str | None) -> list[LabelledImage]:
    """Read a gallery's pictures and classes. Raises `LoraDemoError` on a file from elsewhere."""
    if not items:
        raise LoraDemoError("There are no pictures yet. Add some in step 1.")
    shown = [word for word in words_shown(items, class_name) if word]
    if len(shown) < len(items):
        raise LoraDemoError("What do the pictures show? Choose the right answer in step 2.")
    pairs = zip(items, shown, strict=True)
    return [LabelledImage(uploaded(path), word) for (path, _), word in pairs]


def words_shown(items: Items | None, class_name: str | None) -> list[str | None]:
    """Name what each picture shows: its caption, else the one choice for all, else None."""
    names = [caption or class_name for _, caption in items or ()]
    meant = {name: to_word(name) for name in set(names) if name}  # each once: 1,000 may be alike
    return [meant[name] if name else None for name in names]


def subject_of(items: Items | None, class_name: str | None, alone: Items | None) -> tuple:
    """Pair each picture with its word, or with None: what a lesson is about."""
    words = words_shown(items, class_name)
    shown = [(path, word) for (path, _), word in zip(items or (), words, strict=True)]
    return *shown, *((path, None) for path, _ in alone or ())


def taught_words(pictures: Iterable[LabelledImage]) -> tuple[str, ...]:
    """List each class once, in the order in which it first comes."""
    return tuple(dict.fromkeys(p.label for p in pictures if p.label))


def to_word(typed: str) -> str:
    """Find the class that is meant; a name that is none of the 1,000 is a new word.

    Only its first letters count, before anything works on them: one letter may become 18. They are
    more than a word may have, so that a longer one is refused by name.
    """
    typed = shorten(typed)
    return known_category(typed, CATEGORIES) or tidy(typed)
