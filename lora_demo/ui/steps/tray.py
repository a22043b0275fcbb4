"""A tray: a gallery, and all the ways in which pictures come into it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from lora_demo import LoraDemoError, browser_copy, count_pixels, limits, without_traceback
from lora_demo.serving.lanes import in_lane
from lora_demo.serving.session import Session
from lora_demo.ui.events import QUIET
from lora_demo.ui.render.jobs import UNLIMITED
from lora_demo.ui.render.notes import refused_note
from lora_demo.ui.render.templates import render
from lora_demo.ui.sent import carried
from lora_demo.ui.steps.return_visit import still_here
from lora_demo.ui.uploads import Items, uploaded, uploads_among

# of one tray; what all trays share is in trays.js, in the head of the page
SCRIPT = Path(__file__).with_name("tray.js").read_text(encoding="utf-8")
ACCEPT = "image/*,.heic,.heif,.avif,.dib,.pjpeg,.jfif"  # what the file dialog shows at first
DOOR = render("door", most_bytes=limits.MAX_PICTURE_BYTES, accept=ACCEPT)


@dataclass(frozen=True)
class Tray:
    gallery: gr.Gallery
    refused: gr.HTML  # names the newest pictures that could not be read
    arrived: Dependency  # follows each arrival of pictures, once the gallery has them


def build_gallery(elem_id: str, label: str, value: Items | None = None, **more) -> gr.Gallery:
    """Make a gallery that `build_tray` renders; handlers get (path, caption) pairs."""
    return gr.Gallery(
        value,
        label=label,
        show_label=False,
        type="filepath",  # no `file_types`: Gradio would refuse by name what we can read
        interactive=True,
        columns=5,
        height="auto",
        object_fit="contain",
        buttons=[],
        elem_id=elem_id,
        elem_classes="tray-pictures",
        render=False,
        **more,
    )


def build_tray(gallery: gr.Gallery, visitor: gr.State, newest: gr.State | None = None) -> Tray:
    """Render the gallery below its door; every picture is read before it is shown.

    `newest` holds the path of the readable picture that arrived last.
    """
    with gr.Column(elem_classes="tray", elem_id=f"{gallery.elem_id}-tray"):
        door = gr.HTML("", html_template=DOOR, js_on_load=SCRIPT, apply_default_css=False)
        gallery.render()
        refused = gr.HTML()
    newest = newest or gr.State(None)
    outputs = [gallery, newest, refused, door]
    arrived = door.arrive(take_in, [visitor, gallery, newest], outputs, **UNLIMITED, **QUIET)
    arrived.failure(_answer, None, door, **QUIET)  # or the door would wait for ever
    return Tray(gallery, refused, arrived)


async def take_in(
    session: Session, items: Items | None, newest: str | None, sent: gr.EventData
) -> tuple[Items, str | None, str, str]:
    """Add the readable pictures to the gallery, name the others, and answer the door."""
    paths = _paths(sent)
    there: Items = await asyncio.to_thread(_begin, session, items, paths)
    bad: list[LoraDemoError] = []
    left = limits.MAX_ARRIVING_PIXELS
    for path in paths:
        try:
            pixels = await in_lane(0, _count, path)
            if pixels > left:
                raise LoraDemoError(
                    f"“{Path(str(path)).name}” was too much at once. Add it once more."
                )
            left -= pixels
            newest = await in_lane(pixels, _readable, path)
            there.append((newest, None))
        except LoraDemoError as error:
            bad.append(without_traceback(error))
    return there, newest, refused_note(bad), _answer()


def _begin(session: Session, items: Items | None, paths: Sequence[object]) -> Items:
    """Own what arrived, so that refused files and originals are forgotten, too."""
    session.own(uploads_among(paths))
    return still_here(items or [])  # Gradio would copy any file that a client names


def _paths(sent: gr.EventData) -> Sequence[object]:
    paths = carried(sent, "paths")
    if not isinstance(paths, list) or len(paths) > limits.MAX_PICTURES:
        raise LoraDemoError(f"Add at most {limits.MAX_PICTURES:,} pictures at once.")
    return paths


def _count(path: object) -> int:
    return count_pixels(uploaded(path))


def _readable(path: object) -> str:
    """Return the file, or a copy if not every browser shows it. Raises `ImageError`."""
    file = uploaded(path)
    copy = browser_copy(file)
    if copy is None:
        return str(file)
    data, ending = copy
    shown = file.with_name(f"{file.stem}{ending}")
    shown.write_bytes(data)
    return str(shown)


def _answer() -> str:
    """Return a new value each time, so that the door sees a change."""
    return secrets.token_hex(8)
