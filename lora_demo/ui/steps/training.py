"""Step 3: a training that one can follow and stop, and the fair test after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from lora_demo import LoraDemoError
from lora_demo.serving.job import follow, seen
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.recording import start_lesson
from lora_demo.serving.runs import Lesson
from lora_demo.serving.session import Session
from lora_demo.serving.sessions import SESSIONS
from lora_demo.ui.events import QUIET, View, reveal_on
from lora_demo.ui.render.charts import loss_plot
from lora_demo.ui.render.jobs import UNLIMITED, cut_short_note, failed_note, waiting_note
from lora_demo.ui.render.notes import problem, ready_note, step
from lora_demo.ui.render.results import held_back_note, testing_note
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import build_task
from lora_demo.ui.steps.lesson_status import end_line, lesson_status, progress_line
from lora_demo.ui.steps.pictures import Pictures
from lora_demo.ui.steps.settings import Settings, build_settings
from lora_demo.ui.uploads import subject_of, taught_words, to_labelled


@dataclass(frozen=True)
class TrainingStep:
    settings: Settings
    current: gr.State  # the lesson under way; a new one is followed as soon as it stands here
    start: gr.Button
    ended: Dependency  # follows every training, however it ended
    judged: Dependency  # follows the fair test
    view: View  # what can be learned now, and whose result is shown


def build_training(
    visitor: gr.State, network: gr.State, pictures: Pictures, alone: gr.Gallery
) -> TrainingStep:
    """Build step 3; `alone` holds pictures of none of the taught things, which teach, too."""
    with gr.Column(elem_classes="card"):
        gr.HTML(step(3, "Let it practise", "Only the LoRA learns. The network stays as it is."))
        settings = build_settings(network)
        start = gr.Button("Train", variant="primary", size="lg", elem_id="train")
        stop = gr.Button("Stop", variant="stop", size="lg", elem_id="stop")
        gr.HTML(html_template=render("train_waits"))
        status = gr.HTML(ready_note(0), elem_id="lesson-status")
        earlier = gr.HTML(elem_id="earlier")
        tested = gr.HTML(elem_id="tested")
        plot = gr.HTML(_plot(None), elem_id="loss")
    current = gr.State(None)

    def on_train(values: dict) -> dict:
        """Put a lesson in line, in the place of the visitor's last one; values by component."""
        session = values[visitor]
        try:
            shown = values[pictures.gallery], values[pictures.class_name]
            labelled = to_labelled(*shown)
            spec = settings.spec(values, values[network], taught_words(labelled))
            task = build_task(session, labelled, spec.class_names, values[alone])
            dials, subject = settings.training(values), subject_of(*shown, values[alone])
            lesson = start_lesson(session, QUEUE, task, spec, dials, subject)
        except LoraDemoError as error:
            return {status: problem(error)}
        return {status: waiting_note(lesson.job), earlier: "", tested: "", current: lesson}

    inputs = {visitor, network, pictures.gallery, pictures.class_name, alone, *settings.dials}
    start.click(on_train, inputs, [status, earlier, tested, current], **QUIET)
    reveal_on(start.click, "lesson-status", "loss", room=320)
    stop.click(_stop, visitor, None, queue=False, **QUIET)
    ended = current.change(_show_training, [visitor, current], [status, plot], **UNLIMITED, **QUIET)
    judged = ended.then(_show_test, current, tested, **UNLIMITED, **QUIET)
    shows = [visitor, pictures.gallery, pictures.class_name, alone]
    view = View(lesson_status, shows, [status, earlier])
    return TrainingStep(settings, current, start, ended, judged, view)


def _stop(session: Session) -> None:
    if session.asked:
        QUEUE.stop(session.asked.job)


async def _show_training(session: Session, lesson: Lesson | None) -> AsyncIterator[tuple]:
    """Yield the status and the plot."""
    if lesson is None:  # no page asks for it
        return
    told = None
    with seen(lesson.job):
        async for _ in follow(lesson.job):
            SESSIONS.keep(session)
            if lesson.is_trained:
                break
            status = progress_line(lesson)
            if status != told:  # an update costs the server more than a look
                yield status, _plot(lesson)
                told = status
    yield end_line(lesson), _plot(session.begun)


def _plot(lesson: Lesson | None) -> str:
    """Draw it again: that costs the server less than `gr.skip()`, which makes a component."""
    fitting = lesson and lesson.fitting
    return loss_plot(fitting.points, fitting.settings.epochs) if fitting else loss_plot((), 1)


async def _show_test(lesson: Lesson | None) -> AsyncIterator[str]:
    if lesson is None:  # no page asks for it
        return
    job = lesson.job
    with seen(job):
        async for _ in follow(job):
            if lesson.held_back:
                yield testing_note(lesson.held_back)
    if lesson.result:
        yield held_back_note(lesson.result)
    elif lesson.held_back:  # it ended in the middle
        yield failed_note(job.error) if job.error else cut_short_note(job)
    else:
        yield ""
