"""Long work of one visitor: one run at a time, that can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gradio as gr

from lora_demo.ui.notes import note

if TYPE_CHECKING:
    from lora_demo.training import FitProgress

IDLE = gr.update(visible=True), gr.update(visible=False)  # the buttons to start and to stop
UNEXPECTED = note("That should not have happened. Try once more.", "bad")


@dataclass
class Run:
    """Stop and the next run set `stopped`."""

    stopped: threading.Event = field(default_factory=threading.Event)
    trained: FitProgress | None = None  # to be judged, after a training that was not stopped


def begin_run(run: Run | None) -> tuple[Run, dict, dict, str]:
    """Ends the one before: a new run, its two buttons, and a status."""
    stop_run(run)
    stop = gr.update(visible=True, value="Stop", interactive=True)
    return Run(), gr.update(visible=False), stop, note("Waiting for its turn …", "busy")


def stop_run(run: Run | None) -> dict:
    """It ends by itself after the step that is under way; what becomes of the button."""
    if run:
        run.stopped.set()
    return gr.update(value="Stopping …", interactive=False)


def until(stopped: threading.Event, steps: Iterable) -> Iterator:
    for progress in steps:
        yield progress
        if stopped.is_set():
            return
