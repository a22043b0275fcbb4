"""Step 3: training that can be watched and stopped, and the fair test that follows."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import gradio as gr
from gradio.events import Dependency

from lora_demo.backbones import CATEGORIES, load_model
from lora_demo.errors import LoraDemoError
from lora_demo.lab import Result, judge
from lora_demo.training import FitProgress, train
from lora_demo.ui.charts import loss_plot
from lora_demo.ui.feedback import QUIET, throttle
from lora_demo.ui.notes import (
    end_note,
    note,
    problem,
    progress_note,
    ready_note,
    step,
)
from lora_demo.ui.pictures import Items, Pictures, taught_words, to_labelled
from lora_demo.ui.results import held_back_note, testing_note
from lora_demo.ui.settings import Settings, build_settings
from lora_demo.ui.unrelated import unrelated_features
from lora_demo.words import near_categories


@dataclass
class Run:
    """One training of one visitor: Stop and the next training set `stopped`."""

    stopped: threading.Event = field(default_factory=threading.Event)
    trained: FitProgress | None = None  # to be judged, after a training that was not stopped


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
        status = gr.HTML(ready_note(0, "", None))
        tested = gr.HTML(elem_id="tested")
        plot = gr.HTML(loss_plot((), 1), elem_id="loss")
    run = gr.State(None)

    def on_train(values: dict) -> Iterator[tuple]:
        """Values by component; yields what becomes of adapter, status and plot."""
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
            yield gr.skip(), end_note(progress), gr.skip()
            if progress.done:
                values[run].trained = progress
        except LoraDemoError as error:
            yield gr.skip(), problem(error), gr.skip()

    began = start.click(_begin, run, [run, start, stop, status, tested], queue=False, **QUIET)
    trained = began.then(
        on_train,
        {run, network, pictures.gallery, pictures.class_name, *settings.dials},
        [adapter, status, plot],
        concurrency_id="training",
        **QUIET,
    )
    idle = gr.update(visible=True), gr.update(visible=False)
    unexpected = note("That should not have happened. Press Train once more.", "bad")
    trained.failure(lambda: (*idle, unexpected), None, [start, stop, status], **QUIET)
    gr.on(
        [pictures.gallery.change, pictures.class_name.change],
        _ready,
        [pictures.gallery, pictures.class_name],
        status,
        **QUIET,
    )
    stop.click(stop_run, run, stop, queue=False, **QUIET)
    ended = trained.then(lambda: idle, None, [start, stop], **QUIET)
    judged = ended.then(
        _judge, [run, alone, results], [tested, results], concurrency_id="training", **QUIET
    )
    return Practice(settings, ended, judged)


def _ready(items: Items | None, class_name: str | None) -> str:
    captions = dict.fromkeys(caption for _, caption in items or [] if caption)
    name = (class_name or ", ".join(captions)).strip()
    known = not class_name or name.replace("_", " ").casefold() in map(str.casefold, CATEGORIES)
    return ready_note(len(items or []), name, None if known else near_categories(name, CATEGORIES))


def _begin(run: Run | None) -> tuple:
    stop_run(run)
    stop = gr.update(visible=True, value="Stop", interactive=True)
    return Run(), gr.update(visible=False), stop, note("Waiting for its turn …", "busy"), ""


def _judge(run: Run, own: Items | None, results: list[Result]) -> Iterator[tuple]:
    """The fair test and what broke; the result joins the visitor's others."""
    if run.trained is None:
        return
    model = load_model(run.trained.spec.model_name)
    unrelated = unrelated_features(model, run.trained.spec.class_names, own)
    for result in throttle(until(run.stopped, judge(model, run.trained, unrelated))):
        if not isinstance(result, Result):
            yield testing_note(result), gr.skip()
    if isinstance(result, Result):
        yield held_back_note(result.base, result.adapted), [*results, result]


def stop_run(run: Run | None) -> dict:
    """It ends by itself after the step that is under way."""
    if run:
        run.stopped.set()
    return gr.update(value="Stopping …", interactive=False)


def until(stopped: threading.Event, steps: Iterable) -> Iterator:
    for progress in steps:
        yield progress
        if stopped.is_set():
            return
