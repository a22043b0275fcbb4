"""What a click replaced in step 1, or took out of it; another click brings it back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import gradio as gr
from gradio.events import Dependency

from lora_demo import limits
from lora_demo.serving.session import Session
from lora_demo.ui.events import QUIET
from lora_demo.ui.render.amounts import counted
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import sample_words
from lora_demo.ui.steps.return_visit import keep, still_here
from lora_demo.ui.uploads import Items

MOST = 50  # steps back
MOST_PICTURES = 5 * limits.MAX_PICTURES  # in all of them
CLICK = (
    "element.addEventListener('click', ({target}) => target.closest('button') && trigger('click'))"
)


@dataclass(frozen=True)
class SetAside:
    items: Items
    word: str | None
    told: str  # what happened to them


def build_undo() -> gr.HTML:
    """Make the line that says what is gone, with the button that brings it back."""
    return gr.HTML(js_on_load=CLICK, elem_id="undo")


def undo_line(session: Session) -> str:
    if not session.set_aside:
        return ""
    return render("undo", told=session.set_aside[-1].told)


def undo_when(
    line: gr.HTML, visitor: gr.State, gallery: gr.Gallery, word: gr.components.Component
) -> Dependency:
    """Connect the line; return what follows a click on its button."""
    inputs = [visitor, gallery, word]
    gallery.change(partial(notice, gallery), inputs, line, queue=False, **QUIET)
    return line.click(partial(bring_back, gallery), inputs, [gallery, word, line], **QUIET)


def set_aside(gallery: gr.Gallery, session: Session, items: Items | None, word: str | None) -> None:
    """Set the visitor's own pictures aside before others replace them."""
    if items and _is_own(items, word):
        _put(session, items, word, f"Your {counted(len(items), 'picture')} were replaced.")
    session.page.pop(gallery, None)  # so that the change which follows does not count as a removal


def notice(
    gallery: gr.Gallery, session: Session, items: Items | None, word: str | None
) -> str | dict:
    """Keep what is there now; if own pictures were taken out, set aside what was there."""
    before, now = session.page.get(gallery) or [], {path for path, _ in items or ()}
    gone = [item for item in before if item[0] not in now]
    taken_out = now <= {path for path, _ in before} and _is_own(gone, word)
    if taken_out:
        _put(session, before, word, f"You took {counted(len(gone), 'picture')} out.")
    keep(gallery, session, items)
    return (
        undo_line(session) if taken_out else gr.skip()
    )  # a late answer must not hide a newer line


def bring_back(
    gallery: gr.Gallery, session: Session, items: Items | None, word: str | None
) -> tuple:
    """Return values of gallery, word and line; what is there now becomes the oldest set aside."""
    if not session.set_aside:  # the button was clicked twice
        return still_here(items or []), word, ""
    *others, back = session.set_aside
    restored = still_here(back.items)
    added = [item for item in items or () if item not in restored]
    if items and _is_own(added, None):
        now = SetAside(items, word, f"Your {counted(len(items), 'picture')} were replaced.")
        others = [now, *others]
    session.set_aside = others
    session.page.pop(gallery, None)
    return restored, back.word, undo_line(session)


def _put(session: Session, items: Items, word: str | None, told: str) -> None:
    """Set them aside once, though Gradio reports a removal more than once."""
    others = [kept for kept in session.set_aside if (kept.items, kept.word) != (items, word)]
    kept = [*others, SetAside(items, word, told)][-MOST:]
    while len(kept) > 1 and sum(len(aside.items) for aside in kept) > MOST_PICTURES:
        kept = kept[1:]
    session.set_aside = kept


def _is_own(items: Items | None, word: str | None) -> bool:
    """Tell if any picture, or the word for one, is not from our sets."""
    if not items:
        return False
    ours = sample_words()
    return any(
        path not in ours or (caption or word or ours[path]) != ours[path] for path, caption in items
    )
