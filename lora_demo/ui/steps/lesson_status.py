"""How the lesson stands: what can be learned now, how far it is, and whose result is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_demo.class_names import CATEGORIES, known_words, near_categories
from lora_demo.errors import LoraDemoError
from lora_demo.serving.job import Job
from lora_demo.serving.sessions import Session
from lora_demo.ui.render.jobs import STOPPING, cut_short_note, failed_note, waiting_note
from lora_demo.ui.render.notes import (
    earlier_note,
    end_note,
    note,
    problem,
    progress_note,
    ready_note,
)
from lora_demo.ui.uploads import Items, subject_of, words_shown

if TYPE_CHECKING:
    from lora_demo.lora.fitting import FitProgress


def stand(session: Session, items: Items | None, class_name: str | None) -> tuple[str, str]:
    """The status, and the title of a result that is not of these pictures and words."""
    job, subject = session.lesson_job, subject_of(items, class_name)
    has_result = session.lesson is not None and session.lesson.adapter is not None
    is_earlier = has_result and session.learned != subject
    earlier = earlier_note(session.lesson.adapter.spec) if is_earlier else ""
    if job and not is_over(job, made := job.newest):
        return progress_line(job, made), earlier
    if job and session.asked == subject:
        return end_line(session, job), earlier
    return _ready(items, class_name), earlier


def _ready(items: Items | None, class_name: str | None) -> str:
    words = words_shown(items, class_name)
    distinct = list(dict.fromkeys(word for word in words if word))
    new = [word for word in distinct if word not in CATEGORIES]
    try:
        known_words(new, CATEGORIES)
    except LoraDemoError as error:
        return problem(error)
    near = near_categories(new[0], CATEGORIES) if new else []
    return ready_note(len(words), [] if None in words else distinct, new, near)


def is_over(job: Job, made: object) -> bool:
    """Whether the training is; after its own steps come those of the fair test."""
    from lora_demo.lora.fitting import FitProgress

    return job.done.is_set() or not isinstance(made, FitProgress | None)


def progress_line(job: Job, made: FitProgress | None) -> str:
    if job.stopped.is_set():
        return STOPPING
    return progress_note(made) if made else waiting_note(job)


def end_line(session: Session, job: Job) -> str:
    if job.error:
        return failed_note(job.error)
    if job.newest is None or session.lesson is None:
        return note("Stopped before its turn came. Nothing was learned this time.")
    return cut_short_note(job) + end_note(session.lesson)
