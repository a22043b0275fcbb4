"""Step 3: training that can be watched and stopped, and what became of it."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import gradio as gr
from gradio.events import Dependency

from lora_demo.adapters import Adapter, Placement
from lora_demo.backbones import load_model
from lora_demo.errors import LoraDemoError
from lora_demo.evaluation import count_broken
from lora_demo.features import read_features
from lora_demo.leave_one_out import HeldBack, leave_one_out
from lora_demo.training import train
from lora_demo.ui.charts import loss_plot
from lora_demo.ui.feedback import QUIET, throttle
from lora_demo.ui.notes import (
    broken_note,
    end_note,
    held_back_note,
    note,
    problem,
    progress_note,
    ready_note,
    step,
    testing_note,
)
from lora_demo.ui.pictures import UNRELATED, Items, Pictures, to_labelled
from lora_demo.ui.settings import build_settings


@dataclass
class Run:
    """One training of one visitor: Stop and the next training set `stopped`."""

    stopped: threading.Event = field(default_factory=threading.Event)
    tests: Iterator[HeldBack] | None = None  # to come after a training that was not stopped


def build_practice(network: gr.State, pictures: Pictures, adapter: gr.State) -> Dependency:
    """Returns the event that follows every training, however it ended."""
    with gr.Column(elem_classes="card"):
        gr.HTML(step(3, "Let it practise", "Only the LoRA learns. The network stays as it is."))
        settings = build_settings(network)
        start = gr.Button("Train", variant="primary", size="lg", elem_id="train")
        stop = gr.Button("Stop", variant="stop", size="lg", visible=False, elem_id="stop")
        status = gr.HTML(ready_note(0, None))
        tested = gr.HTML(elem_id="tested")
        broken = gr.HTML(elem_id="broken")
        plot = gr.HTML(loss_plot((), 1), elem_id="loss")
    run = gr.State(None)

    def on_train(values: dict) -> Iterator[tuple]:
        """Values by component; yields what becomes of adapter, status and plot."""
        try:
            labelled = to_labelled(values[pictures.gallery], values[pictures.class_name])
            taught = tuple(dict.fromkeys(picture.label for picture in labelled))
            spec = settings.spec(values, values[network], taught)
            model, training = load_model(spec.model_name), settings.training(values)
            steps = train(model, labelled, spec, training)
            for progress in throttle(_until(values[run].stopped, steps)):
                yield (
                    progress.adapter or gr.skip(),
                    progress_note(progress),
                    loss_plot(progress.points, progress.epochs),
                )
            yield gr.skip(), end_note(progress), gr.skip()
            if progress.done:
                values[run].tests = leave_one_out(model, progress.features, spec, training)
        except LoraDemoError as error:
            yield gr.skip(), problem(error), gr.skip()

    shown = [run, start, stop, status, tested, broken]
    began = start.click(_begin, run, shown, queue=False, **QUIET)
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
    stop.click(_stop, run, stop, queue=False, **QUIET)
    ended = trained.then(lambda: idle, None, [start, stop], **QUIET)
    trained.success(_what_broke, adapter, broken, **QUIET)
    ended.then(_test, run, tested, concurrency_id="training", **QUIET)
    return ended


def _ready(items: Items | None, class_name: str | None) -> str:
    captions = dict.fromkeys(caption for _, caption in items or [] if caption)
    return ready_note(len(items or []), class_name or ", ".join(captions))


def _begin(run: Run | None) -> tuple:
    _stop(run)
    stop = gr.update(visible=True, value="Stop", interactive=True)
    return Run(), gr.update(visible=False), stop, note("Waiting for its turn …", "busy"), "", ""


def _test(run: Run) -> Iterator[str]:
    held_back = None
    for held_back in throttle(_until(run.stopped, run.tests or ())):
        yield testing_note(held_back)
    if held_back and not run.stopped.is_set():
        yield held_back_note(held_back)


def _what_broke(adapter: Adapter | None) -> str:
    if adapter is None:
        return ""
    model = load_model(adapter.spec.model_name)
    unrelated = [read_features(model, path) for path in UNRELATED]
    guarded = adapter.spec.placement is Placement.GUARDED
    return broken_note(count_broken(model, unrelated, adapter), guarded)


def _stop(run: Run | None) -> dict:
    """Training ends by itself after the epoch or the picture that is under way."""
    if run:
        run.stopped.set()
    return gr.update(value="Stopping …", interactive=False)


def _until(stopped: threading.Event, steps: Iterable) -> Iterator:
    for progress in steps:
        yield progress
        if stopped.is_set():
            return
