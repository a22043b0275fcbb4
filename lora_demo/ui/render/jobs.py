"""What a visitor sees of the jobs asked for: place in line, that they stop, how they ended.

Whether there is a button to start or one to stop is a matter of style: see theme.css.
"""

from __future__ import annotations

from lora_demo.errors import LoraDemoError
from lora_demo.limits import MAX_JOB_SECONDS
from lora_demo.serving.job import AWAY, OUT_OF_TIME, Job
from lora_demo.serving.queue import QUEUE
from lora_demo.ui.render.notes import note, problem

STOPPING = note("Stopping …", "busy")
UNLIMITED = {"concurrency_limit": None, "concurrency_id": None}  # watchers only look and sleep


def waiting_note(job: Job) -> str:
    before = QUEUE.position(job)
    if not before:
        return note("It is your turn now …" if before is None else "You are next …", "busy")
    return note(f"Waiting for its turn: <b>{before}</b> before you. You may stop it.", "busy")


def failed_note(error: Exception) -> str:
    if isinstance(error, LoraDemoError):
        return problem(error)
    return note("That should not have happened. Try once more.", "bad")


def cut_short_note(job: Job) -> str:
    """Why it ended, where the visitor did not stop it."""
    if job.end_reason == OUT_OF_TIME:
        return note(f"After {MAX_JOB_SECONDS // 60} minutes it was stopped, to be fair.", "warn")
    if job.end_reason == AWAY:
        return note("It was stopped, as nobody was there for more than a minute.", "warn")
    return ""
