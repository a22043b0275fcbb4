"""Events: their settings, errors as messages, how often they answer, what is drawn after them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, TypeVar

import gradio as gr
from gradio.events import Dependency

from lora_demo import LoraDemoError
from lora_demo.serving.job import SHOW_SECONDS

# For every event: no spinner over what it changes, and no endpoint for clients.
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
Step = TypeVar("Step")


@contextmanager
def visitor_errors() -> Iterator[None]:
    """Turn a core error into a message on the page, word for word, which ends the event."""
    try:
        yield
    except LoraDemoError as error:
        text = escape(str(error), quote=False)  # messages are shown as HTML
        raise gr.Error(text, duration=20, print_exception=False) from error


def reveal_on(event: Callable, first: str, last: str, room: int = 0) -> None:
    """Bring what lies between two elements, by id, into view; only in the browser.

    `room` is left below them, in pixels, for what is still to come.
    """
    event(None, None, None, js=f"() => reveal('#{first}', '#{last}', {room})", **QUIET)


def throttle(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the first step, then the newest at most four times a second, and always the last."""
    shown_at, waiting = 0.0, None
    for step in steps:
        waiting = step
        if time.monotonic() - shown_at >= SHOW_SECONDS:
            yield step
            shown_at, waiting = time.monotonic(), None
    if waiting is not None:
        yield waiting


@dataclass(frozen=True)
class View:
    draw: Callable[..., Sequence]  # values of the inputs -> values of the outputs
    inputs: Sequence[gr.components.Component]
    outputs: Sequence[gr.components.Component]


def draw_after(event: Dependency, *views: View) -> None:
    """Draw them once that event has ended."""
    draw_on(event.then, *views)


def draw_on(event: Callable, *views: View) -> None:
    """Draw them in one event, as an event costs the server more than most drawings do."""

    def draw(values: dict) -> dict:
        drawn = {}
        for view in views:
            made = view.draw(*(values[component] for component in view.inputs))
            drawn |= zip(view.outputs, made, strict=True)
        return drawn

    inputs = {component for view in views for component in view.inputs}
    outputs = [component for view in views for component in view.outputs]
    event(draw, inputs, outputs, **QUIET)
