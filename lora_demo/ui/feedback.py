"""What the visitor is told and how often; and what the visitor sends, checked."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TypeVar

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from lora_demo.errors import LoraDemoError
from lora_demo.leftovers import delete_old
from lora_demo.long_work import SHOW_SECONDS

# For every event: no spinner over what it changes, and no endpoint for clients.
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
NOT_UPLOADED = "That file was not uploaded here. Add it to the page once more."
MAX_PATH = 4096  # letters; no file system takes more
Step = TypeVar("Step")


@contextmanager
def visitor_errors() -> Iterator[None]:
    """A core error becomes a message on the page, word for word, and ends the event."""
    try:
        yield
    except LoraDemoError as error:
        text = escape(str(error), quote=False)  # messages are shown as HTML
        raise gr.Error(text, duration=20, print_exception=False) from error


def reveal_on(event: Callable, first: str, last: str, room: int = 0) -> None:
    """Bring what lies between two elements, by id, into view, in the browser alone.

    `room` is kept below them, in pixels, for what is still to come.
    """
    event(None, None, None, js=f"() => reveal('#{first}', '#{last}', {room})", **QUIET)


def throttle(steps: Iterable[Step]) -> Iterator[Step]:
    """The first step, then the newest one at most four times a second, and always the last."""
    shown_at, waiting = 0.0, None
    for step in steps:
        waiting = step
        if time.monotonic() - shown_at >= SHOW_SECONDS:
            yield step
            shown_at, waiting = time.monotonic(), None
    if waiting is not None:
        yield waiting


def uploaded(path: object) -> Path:
    """The path, where it lies in the folder of uploads; Gradio 6.31 lets clients name any file."""
    root = Path(get_upload_folder()).resolve()
    try:
        resolved = Path(str(path)[:MAX_PATH]).resolve()  # takes time with the square of its parts
        if resolved.is_relative_to(root) and resolved.is_file():
            return resolved
    except (ValueError, OSError):  # a NUL in it, or a name without end
        pass
    raise LoraDemoError(NOT_UPLOADED)


def hand_out(path: str | Path) -> str:
    """Copy a picture of our own, once, to where the page may fetch it; returns the copy's path.

    Gradio hands out files of its own cache and of the working folder alone, and both this app and
    Gradio may be installed elsewhere.
    """
    return save_file_to_cache(path, get_upload_folder())


def new_folder() -> Path:
    """A folder of its own below the uploads, from where the page may fetch a file.

    Gradio forgets to delete what its API hands out, so older folders go here.
    """
    root = Path(get_upload_folder()) / "made"
    delete_old(root.glob("*"))
    folder = root / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder
