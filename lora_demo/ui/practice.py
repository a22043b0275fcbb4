"""Step 3: training that can be watched and stopped, and the fair test that follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr
from gradio.events import Dependency

from lora_demo.backbones import load_model
from lora_demo.errors import LoraDemoError
from lora_demo.ui.charts import loss_plot
from lora_demo.ui.feedback import QUIET, throttle, visitor_errors
from lora_demo.ui.labels import Items, taught_words, to_labelled, words_shown
from lora_demo.ui.notes import (
    end_note,
    problem,
    progress_note,
    ready_note,
    step,
)
from lora_demo.ui.pictures import Pictures
from lora_demo.ui.results import held_back_note, testing_note
from lora_demo.ui.runs import IDLE, UNEXPECTED, Run, begin_run, stop_run, until
from lora_demo.ui.settings import Settings, build_settings
from lora_demo.ui.table import MAX_RESULTS
from lora_demo.ui.unrelated import flatten, unrelated_features
from lora_demo.ui.watch import log_training
from lora_demo.words import CATEGORIES, near_categories

if TYPE_CHECKING:
    from lora_demo.lab import Result


@dataclass(frozen=True)
class Practice:
    settings: Settings
    ended: Dependency  # follows every training, however it ended
    judged: Dependency  # follows the fair test


def build_practice(
    network: gr.State, pictures: Pictures, alone: gr.Gallery, adapter: gr.State, results: gr.State
) -> Practice:
    """`alone` holds the visitor's own pictures that are not to change."""
    with gr.Column(elem_classes="card"):
        gr.HTML(step(3, "Let it practise", "Only the LoRA learns. The network stays as it is."))
        settings = build_settings(network)
        start = gr.Button("Train", variant="primary", size="lg", elem_id="train")
        stop = gr.Button("Stop", variant="stop", size="lg", visible=False, elem_id="stop")
        status = gr.HTML(ready_note(0))
        tested = gr.HTML(elem_id="tested")
        plot = gr.HTML(loss_plot((), 1), elem_id="loss")
    run = gr.State(None)

    def on_train(values: dict) -> Iterator[tuple]:
        """Values by component; yields what becomes of adapter, status and plot."""
        from lora_demo.training import train

        try:
            labelled = to_labelled(values[pictures.gallery], values[pictures.class_name])
            spec = settings.spec(values, values[network], taught_words(labelled))
            steps = train(load_model(spec.model_name), labelled, spec, settings.training(values))
            for progress in throttle(until(values[run].stopped, steps)):
                yield (
                    progress.adapter or gr.skip(),
                    progress_note(progress),
                    loss_plot(progress.points, progress.epochs),
                )
            log_training(progress)
            yield gr.skip(), end_note(progress), gr.skip()
            if progress.done:
                values[run].trained = progress
        except LoraDemoError as error:  # whatever went wrong, what was learned before it is kept
            yield values[adapter], problem(error), gr.skip()

    began = start.click(begin_run, run, [run, start, stop, status], queue=False, **QUIET)
    trained = began.then(lambda: "", None, tested, queue=False, **QUIET).then(
        on_train,
        {run, network, adapter, pictures.gallery, pictures.class_name, *settings.dials},
        [adapter, status, plot],
        concurrency_id="training",
        **QUIET,
    )
    trained.failure(lambda: UNEXPECTED, None, status, **QUIET)
    gr.on(
        [pictures.gallery.change, pictures.class_name.change],
        _ready,
        [pictures.gallery, pictures.class_name],
        status,
        **QUIET,
    )
    stop.click(stop_run, run, stop, queue=False, **QUIET)
    ended = trained.then(lambda: IDLE, None, [start, stop], **QUIET)
    judged = ended.then(
        _judge, [run, alone, results], [tested, results], concurrency_id="training", **QUIET
    )
    return Practice(settings, ended, judged)


def _ready(items: Items | None, class_name: str | None) -> str:
    words = words_shown(items, class_name)
    distinct = list(dict.fromkeys(word for word in words if word))
    new = [word for word in distinct if word not in CATEGORIES]
    near = near_categories(new[0], CATEGORIES) if new else []
    return ready_note(len(words), [] if None in words else distinct, new, near)


def _judge(run: Run, own: Items | None, results: list[Result]) -> Iterator[tuple]:
    """The fair test and what broke; the result joins the visitor's others."""
    from lora_demo.lab import Result, judge

    if run.trained is None:
        return
    with visitor_errors():
        model = load_model(run.trained.spec.model_name)
        unrelated = flatten(unrelated_features(model, run.trained.spec.class_names, own))
        for step_made in throttle(until(run.stopped, judge(model, run.trained, unrelated))):
            if isinstance(step_made, Result):
                kept = [*results, step_made][-MAX_RESULTS:]
                yield held_back_note(step_made.base, step_made.adapted), kept
            else:
                yield testing_note(step_made), gr.skip()
