"""What is drawn from a visitor's work, several steps of the page in one event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from lora_demo.ui.feedback import QUIET


@dataclass(frozen=True)
class View:
    draw: Callable[..., Sequence]  # values of the inputs -> values of the outputs
    inputs: Sequence[gr.components.Component]
    outputs: Sequence[gr.components.Component]


def draw_after(event: Dependency, *views: View) -> None:
    """Draw them once that event has ended."""
    draw_on(event.then, *views)


def draw_on(event: Callable, *views: View) -> None:
    """Draw them in one event: each costs the server more than most drawings do."""

    def draw(values: dict) -> dict:
        drawn = {}
        for view in views:
            made = view.draw(*(values[component] for component in view.inputs))
            drawn |= zip(view.outputs, made, strict=True)
        return drawn

    inputs = {component for view in views for component in view.inputs}
    outputs = [component for view in views for component in view.outputs]
    event(draw, inputs, outputs, **QUIET)
