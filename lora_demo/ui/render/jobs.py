"""What a visitor sees of jobs: their place in line, that they stop, how they ended."""

from __future__ import annotations

from lora_demo import LoraDemoError, limits
from lora_demo.serving.job import AWAY, OUT_OF_TIME, Job
from lora_demo.serving.queue import QUEUE
from lora_demo.ui.render.notes import note, problem
from lora_demo.ui.render.templates import render

STOPPING = note("Stopping …", "busy", running=True)
UNLIMITED = {"concurrency_limit": None, "concurrency_id": None}  # these events only look and sleep


def waiting_note(job: Job) -> str:
    return render("waiting", before=QUEUE.position(job))


def failed_note(error: Exception) -> str:
    if isinstance(error, LoraDemoError):
        return problem(error)
    return note("That should not have happened. Try once more.", "bad")


def cut_short_note(job: Job) -> str:
    """Say why it ended, if the visitor did not stop it."""
    if job.end_reason == OUT_OF_TIME:
        minutes = limits.MAX_JOB_SECONDS // 60
        return note(f"Stopped after {minutes} minutes, so that others get their turn.", "warn")
    if job.end_reason == AWAY:
        return note("Stopped, because nobody was here for more than a minute.", "warn")
    return ""
