"""Step 3: training that can be watched and stopped, and the fair test that follows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import gradio as gr
from gradio.events import Dependency

from lora_demo.errors import LoraDemoError
from lora_demo.serving.job import Job, follow, seen
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.recording import learn
from lora_demo.serving.sessions import SESSIONS, Session
from lora_demo.ui.events import QUIET, View, reveal_on
from lora_demo.ui.render.charts import loss_plot
from lora_demo.ui.render.jobs import (
    UNLIMITED,
    cut_short_note,
    failed_note,
    waiting_note,
)
from lora_demo.ui.render.notes import (
    problem,
    ready_note,
    step,
)
from lora_demo.ui.render.results import held_back_note, testing_note
from lora_demo.ui.samples import flatten, unrelated_paths
from lora_demo.ui.steps.lesson_status import end_line, is_over, progress_line, stand
from lora_demo.ui.steps.pictures import Pictures
from lora_demo.ui.steps.settings import Settings, build_settings
from lora_demo.ui.uploads import subject_of, taught_words, to_labelled

if TYPE_CHECKING:
    from lora_demo.lora.fitting import FitProgress

# shown by trays.js, which begins the training when the last picture has arrived
WAITING_FOR_PICTURES = """<div id="train-waits" class="note note-busy" role="status" hidden>
Training begins when all pictures are here …</div>"""


@dataclass(frozen=True)
class TrainingStep:
    settings: Settings
    current: gr.State  # the job under way; a new one is current as soon as it stands here
    start: gr.Button
    ended: Dependency  # follows every training, however it ended
    judged: Dependency  # follows the fair test
    view: View  # what can be learned now, and whose result is shown


def build_training(
    visitor: gr.State, network: gr.State, pictures: Pictures, alone: gr.Gallery
) -> TrainingStep:
    """`alone` holds the visitor's own pictures that are not to change."""
    with gr.Column(elem_classes="card"):
        gr.HTML(step(3, "Let it practise", "Only the LoRA learns. The network stays as it is."))
        settings = build_settings(network)
        start = gr.Button("Train", variant="primary", size="lg", elem_id="train")
        stop = gr.Button("Stop", variant="stop", size="lg", elem_id="stop")
        gr.HTML(html_template=WAITING_FOR_PICTURES)
        status = gr.HTML(ready_note(0), elem_id="lesson-status")
        earlier = gr.HTML(elem_id="earlier")
        tested = gr.HTML(elem_id="tested")
        plot = gr.HTML(_plot(None), elem_id="loss")
    current = gr.State(None)

    def on_train(values: dict) -> dict:
        """Values by component. Puts the job in line, in the place of the visitor's last one."""
        session = values[visitor]
        try:
            shown = values[pictures.gallery], values[pictures.class_name]
            labelled = to_labelled(*shown)
            spec = settings.spec(values, values[network], taught_words(labelled))
            unrelated = flatten(unrelated_paths(spec.class_names, values[alone]))
            arguments = labelled, spec, settings.training(values), unrelated
            subject = subject_of(*shown)
            job = Job(partial(learn, session, subject, arguments), session)
            session.lesson_job = QUEUE.submit(job, instead_of=session.lesson_job)
        except LoraDemoError as error:
            return {status: problem(error)}
        session.asked = subject
        return {status: waiting_note(job), earlier: "", tested: "", current: job}

    inputs = {visitor, network, pictures.gallery, pictures.class_name, alone, *settings.dials}
    start.click(on_train, inputs, [status, earlier, tested, current], **QUIET)
    reveal_on(start.click, "lesson-status", "loss", room=320)
    stop.click(lambda session: QUEUE.stop(session.lesson_job), visitor, None, queue=False, **QUIET)
    ended = current.change(_show_training, [visitor, current], [status, plot], **UNLIMITED, **QUIET)
    judged = ended.then(_show_test, current, tested, **UNLIMITED, **QUIET)
    view = View(stand, [visitor, pictures.gallery, pictures.class_name], [status, earlier])
    return TrainingStep(settings, current, start, ended, judged, view)


async def _show_training(session: Session, job: Job) -> AsyncIterator[tuple]:
    """Yields what becomes of status and plot."""
    told = None
    with seen(job):
        async for _ in follow(job):
            SESSIONS.keep(session)
            made = job.newest
            if is_over(job, made):
                break
            status = progress_line(job, made)
            if status != told:  # an update costs the server more than a look
                yield status, _plot(made)
                told = status
    yield end_line(session, job), _plot(session.lesson)


def _plot(progress: FitProgress | None) -> str:
    """To draw what stands there costs the server less than `gr.skip()`, which makes a component."""
    return loss_plot(progress.points, progress.epochs) if progress else loss_plot((), 1)


async def _show_test(job: Job) -> AsyncIterator[str]:
    from lora_demo.lab import Result
    from lora_demo.lora.cross_validation import HeldBack

    with seen(job):
        async for _ in follow(job):
            if isinstance(job.newest, HeldBack):
                yield testing_note(job.newest)
    if isinstance(job.newest, Result):
        yield held_back_note(job.newest.base, job.newest.adapted)
    elif isinstance(job.newest, HeldBack):  # it ended in the middle
        yield failed_note(job.error) if job.error else cut_short_note(job)
    else:
        yield ""
