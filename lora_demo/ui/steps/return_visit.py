"""After a reload the work comes back; and when it is to be forgotten, it goes, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from lora_demo.errors import LoraDemoError
from lora_demo.serving.sessions import SESSIONS, Session
from lora_demo.ui.events import QUIET
from lora_demo.ui.render.jobs import UNLIMITED
from lora_demo.ui.render.notes import note
from lora_demo.ui.uploads import uploaded, uploads_among

# The secret lies in the tab, not in the browser: the next one at a shared computer opens another.
# Two tabs are two visitors.
KEY = "lora-demo"
FORGOTTEN = "forgotten"
ANSWER_MS = 250  # that other tabs have to say that the secret is theirs
SCRIPT = Path(__file__).with_name("tab.js").read_text(encoding="utf-8")
READ = f"() => ({SCRIPT})('{KEY}', '{FORGOTTEN}', {ANSWER_MS})"
WRITE = f"(secret) => {{ try {{ sessionStorage.setItem('{KEY}', secret) }} catch {{}} }}"
# Later, as a reload in the middle of an event would end as an error in the console.
LEAVE = f"() => {{ ({WRITE})('{FORGOTTEN}'); setTimeout(() => location.reload(), 200) }}"


def build_welcome() -> tuple[gr.HTML, gr.Textbox]:
    """Where a visitor who comes back is greeted, and where the page puts the secret."""
    return gr.HTML(elem_id="greeting"), gr.Textbox(visible=False)


def welcome_back(
    demo: gr.Blocks,
    visitor: gr.State,
    greeting: gr.HTML,
    secret: gr.Textbox,
    kept: Sequence[gr.components.Component],
    current: dict[str, gr.State],
) -> Dependency:
    """Brings back the values of the components `kept`, and the jobs, by the visitor's attribute."""

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
    """Empty what is untrue after any of these acts; in the browser, at no cost to the server."""
    empty = [""] * len(notes)
    gr.on(acts, None, None, list(notes), js=f"() => {empty}", queue=False, **QUIET)


def keep_after(event: Callable, visitor: gr.State, component: gr.components.Component) -> None:
    """The value is kept from then on, for after a reload."""
    event(partial(keep, component), [visitor, component], queue=False, **QUIET)


def build_forget(visitor: gr.State) -> None:
    """Two acts, so that no slip deletes anything: open it, and press the button inside."""
    gr.HTML(
        '<p class="quiet">For an hour your work comes back when you reload the page, in this '
        "browser tab alone.</p>"
    )
    with gr.Accordion("Forget my pictures", open=False, elem_id="forget-all"):
        gr.HTML(
            "<p>This deletes all of your work at once, here and on disk: pictures, LoRAs and "
            "results. It cannot be undone. Save your LoRA first if you want to keep it.</p>"
        )
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
    text = "<b>Welcome back.</b>" + bool(here) * f" Here again: {', '.join(here)}."
    if any(not job.done.is_set() for job in session.jobs):
        text += " What you had started went on meanwhile, and still does."
    return note(text, "good")


def keep(component: gr.components.Component, session: Session, value: object) -> None:
    if isinstance(value, list):
        session.own(uploads_among(path for path, _ in value if path not in component.keep_in_cache))
    session.page[component] = value
    SESSIONS.keep(session)


def still_here(value: object) -> object:
    """Of a gallery, the pictures that are still on disk."""
    return [item for item in value if _is_uploaded(item[0])] if isinstance(value, list) else value


def _is_uploaded(path: str) -> bool:
    try:
        return bool(uploaded(path))
    except LoraDemoError:
        return False
