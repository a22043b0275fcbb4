"""What a visitor sees of a job: its place in line, its two buttons, and how it ended."""

from __future__ import annotations

import gradio as gr

from lora_demo.desk import DESK
from lora_demo.errors import LoraDemoError
from lora_demo.limits import MAX_JOB_SECONDS
from lora_demo.long_work import AWAY, OUT_OF_TIME, Job
from lora_demo.ui.notes import note, problem

IDLE = gr.update(visible=True), gr.update(visible=False)  # the buttons to start and to stop
BUSY = gr.update(visible=False), gr.update(visible=True, value="Stop", interactive=True)
UNCHANGED = gr.skip(), gr.skip()  # an update costs the server more than all else in an event
WATCH = {"concurrency_limit": None, "concurrency_id": None}  # watchers only look and sleep


def stop_jobs(*jobs: Job | None) -> dict:
    """What becomes of the button."""
    for job in jobs:
        DESK.stop(job)
    return gr.update(value="Stopping …", interactive=False)


def waiting_note(job: Job) -> str:
    before = DESK.before(job)
    if not before:
        return note("It is your turn now …" if before is None else "You are next …", "busy")
    return note(f"Waiting for its turn: <b>{before}</b> before you. You may stop it.", "busy")


def failed_note(error: Exception) -> str:
    if isinstance(error, LoraDemoError):
        return problem(error)
    return note("That should not have happened. Try once more.", "bad")


def cut_short_note(job: Job) -> str:
    """Why it ended, where the visitor did not stop it."""
    if job.end == OUT_OF_TIME:
        return note(f"After {MAX_JOB_SECONDS // 60} minutes it was stopped, to be fair.", "warn")
    if job.end == AWAY:
        return note("It was stopped, as nobody was there for more than a minute.", "warn")
    return ""
