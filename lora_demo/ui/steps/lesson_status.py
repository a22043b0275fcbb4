"""The status of the lesson: what can be learned now, how far it is, whose result is shown."""

from __future__ import annotations

from lora_demo import CATEGORIES, LoraDemoError, known_words, near_categories
from lora_demo.serving.runs import Lesson
from lora_demo.serving.session import Session
from lora_demo.ui.render.jobs import STOPPING, cut_short_note, failed_note, waiting_note
from lora_demo.ui.render.notes import (
    earlier_note,
    end_note,
    fitting_note,
    note,
    problem,
    reading_note,
    ready_note,
)
from lora_demo.ui.uploads import Items, subject_of, words_shown


def lesson_status(
    session: Session, items: Items | None, class_name: str | None, alone: Items | None
) -> tuple[str, str]:
    """Return the status, and a title for a result that is not of these pictures and words."""
    asked, begun, subject = session.asked, session.begun, subject_of(items, class_name, alone)
    earlier = ""
    if begun and begun.fitting and begun.subject != subject:
        earlier = earlier_note(begun.fitting.spec)
    if asked and not asked.is_trained:
        return progress_line(asked), earlier
    if asked and asked.subject == subject:
        return end_line(asked), earlier
    return _ready(items, class_name, len(alone or ())), earlier


def _ready(items: Items | None, class_name: str | None, others: int) -> str:
    words = words_shown(items, class_name)
    distinct = list(dict.fromkeys(word for word in words if word))
    new = [word for word in distinct if word not in CATEGORIES]
    try:
        known_words(new, CATEGORIES)
    except LoraDemoError as error:
        return problem(error)
    near = near_categories(new[0], CATEGORIES) if new else []
    return ready_note(len(words), [] if None in words else distinct, new, near, others)


def progress_line(lesson: Lesson) -> str:
    if lesson.job.stopped.is_set():
        return STOPPING
    if lesson.fitting:
        return fitting_note(lesson.fitting)
    return reading_note(lesson.reading) if lesson.reading else waiting_note(lesson.job)


def end_line(lesson: Lesson) -> str:
    if lesson.job.error:
        return failed_note(lesson.job.error)
    if lesson.reading is None:
        return note("Stopped before its turn came. Nothing was learned this time.")
    return cut_short_note(lesson.job) + end_note(lesson.reading, lesson.fitting)
