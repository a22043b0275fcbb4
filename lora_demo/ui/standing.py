"""How the lesson stands: what can be learned now, how far it is, and whose result is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_demo.errors import LoraDemoError
from lora_demo.long_work import Job
from lora_demo.ui.labels import Items, subject_of, words_shown
from lora_demo.ui.notes import earlier_note, end_note, note, problem, progress_note, ready_note
from lora_demo.ui.runs import STOPPING, cut_short_note, failed_note, waiting_note
from lora_demo.ui.visitors import Visitor
from lora_demo.words import CATEGORIES, known_words, near_categories

if TYPE_CHECKING:
    from lora_demo.training import FitProgress


def stand(me: Visitor, items: Items | None, class_name: str | None) -> tuple[str, str]:
    """The status, and the title of a result that is not of these pictures and words."""
    job, subject = me.lesson_job, subject_of(items, class_name)
    has_result = me.lesson is not None and me.lesson.adapter is not None
    is_earlier = has_result and me.learned != subject
    earlier = earlier_note(me.lesson.adapter.spec) if is_earlier else ""
    if job and not is_over(job, made := job.newest):
        return progress_line(job, made), earlier
    if job and me.asked == subject:
        return end_line(me, job), earlier
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
    from lora_demo.training import FitProgress

    return job.done.is_set() or not isinstance(made, FitProgress | None)


def progress_line(job: Job, made: FitProgress | None) -> str:
    if job.stopped.is_set():
        return STOPPING
    return progress_note(made) if made else waiting_note(job)


def end_line(me: Visitor, job: Job) -> str:
    if job.error:
        return failed_note(job.error)
    if job.newest is None or me.lesson is None:
        return note("Stopped before its turn came. Nothing was learned this time.")
    return cut_short_note(job) + end_note(me.lesson)
