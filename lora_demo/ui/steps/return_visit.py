"""After a reload the visitor's work comes back; when it is to be forgotten, it goes at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency

from lora_demo import LoraDemoError
from lora_demo.serving.session import Session
from lora_demo.serving.sessions import SESSIONS
from lora_demo.ui.events import QUIET
from lora_demo.ui.render.jobs import UNLIMITED
from lora_demo.ui.render.notes import note, quiet
from lora_demo.ui.render.templates import render
from lora_demo.ui.uploads import uploaded, uploads_among

# The secret is kept for the tab, not for the browser: at a shared computer, the next visitor's tab
# has another one.
KEY = "lora-demo"
FORGOTTEN = "forgotten"
ANSWER_MS = 250  # in which another tab can say that the secret is its own
SCRIPT = Path(__file__).with_name("tab.js").read_text(encoding="utf-8")
READ = f"() => ({SCRIPT})('{KEY}', '{FORGOTTEN}', {ANSWER_MS})"
WRITE = f"(secret) => {{ try {{ sessionStorage.setItem('{KEY}', secret) }} catch {{}} }}"
# The delay: a reload in the middle of an event would end as an error in the console.
LEAVE = f"() => {{ ({WRITE})('{FORGOTTEN}'); setTimeout(() => location.reload(), 200) }}"


def build_welcome() -> tuple[gr.HTML, gr.Textbox]:
    """Make the line that greets a visitor who comes back, and the place of the secret."""
    return gr.HTML(elem_id="greeting"), gr.Textbox(visible=False)


def welcome_back(
    demo: gr.Blocks,
    visitor: gr.State,
    greeting: gr.HTML,
    secret: gr.Textbox,
    kept: Sequence[gr.components.Component],
    current: dict[str, gr.State],
) -> Dependency:
    """Bring back the values of `kept`, and of `current`, by name of the session's attribute."""

    def on_load(sent: str | None) -> dict:
        session = SESSIONS.find(sent)
        jobs = {state: getattr(session, name) for name, state in current.items()}
        values = {component: still_here(value) for component, value in session.page.items()}
        told = greeting_note(sent, session)
        return {visitor: session, secret: session.secret, greeting: told, **values, **jobs}

    outputs = [visitor, secret, greeting, *kept, *current.values()]
    back = demo.load(on_load, secret, outputs, js=READ, **UNLIMITED, **QUIET)
    back.then(None, secret, None, js=WRITE)
    return back


def leave_after(notes: Sequence[gr.HTML], acts: Sequence[Callable]) -> None:
    """Empty the notes that any of these acts makes untrue; the browser does it, not the server."""
    empty = [""] * len(notes)
    gr.on(acts, None, None, list(notes), js=f"() => {empty}", queue=False, **QUIET)


def keep_after(event: Callable, visitor: gr.State, component: gr.components.Component) -> None:
    """Keep the value after each such event, so that it comes back after a reload."""
    event(partial(keep, component), [visitor, component], queue=False, **QUIET)


def build_forget(visitor: gr.State) -> None:
    """Ask for two acts, so that no slip deletes anything: open it, and press the button inside."""
    gr.HTML(
        quiet(
            "For an hour your work comes back when you reload the page, but only in this "
            "browser tab."
        )
    )
    with gr.Accordion("Forget my pictures", open=False, elem_id="forget-all"):
        gr.HTML(render("forget_warning"))
        forget = gr.Button("Delete everything now", variant="stop", elem_id="forget")
    forget.click(SESSIONS.forget, visitor, None, **QUIET).then(None, None, None, js=LEAVE)


def greeting_note(sent: str | None, session: Session) -> str:
    if sent == FORGOTTEN:
        return note("Forgotten: your pictures, LoRAs and results are deleted, here and on disk.")
    if sent and sent != session.secret:
        return note(
            "What you did here before is gone: it is kept for an hour, and not longer than the "
            "app runs."
        )
    here = [
        *["your pictures"] * any(isinstance(v, list) and v for v in session.page.values()),
        *["your LoRA"] * bool(session.adapter),
        *["its results"] * bool(session.results),
    ]
    if not here and not session.jobs:
        return ""
    going_on = any(not job.done.is_set() for job in session.jobs)
    return render("greeting", here=here, going_on=going_on)


def keep(component: gr.components.Component, session: Session, value: object) -> None:
    if isinstance(value, list):
        session.own(uploads_among(path for path, _ in value if path not in component.keep_in_cache))
    session.page[component] = value
    SESSIONS.make_room(session)
    SESSIONS.keep(session)


def still_here(value: Any) -> Any:
    """Return the value; of a gallery, only the pictures that are still on disk."""
    return [item for item in value if _is_uploaded(item[0])] if isinstance(value, list) else value


def _is_uploaded(path: str) -> bool:
    try:
        return bool(uploaded(path))
    except LoraDemoError:
        return False
