"""Step 3: rank and settings, training that can be watched and stopped."""

import threading
from collections.abc import Iterator

import gradio as gr
from gradio.events import Dependency

from lora_demo.adapters import MAX_RANK, AdapterSpec, Placement, adapter_size
from lora_demo.backbones import load_model
from lora_demo.errors import LoraDemoError
from lora_demo.training import MAX_EPOCHS, TrainingSettings, train
from lora_demo.ui.charts import loss_plot, size_card
from lora_demo.ui.feedback import QUIET, throttle
from lora_demo.ui.notes import end_note, note, problem, progress_note, ready_note, step
from lora_demo.ui.pictures import Items, Pictures, to_labelled

PLACEMENTS = {
    Placement.PIXELS: "On the raw dots of the picture (pixels)",
    Placement.HEAD: "On the last layer, where the network has already seen what is in the picture",
}
DEFAULT_SPEC, DEFAULT_SETTINGS = AdapterSpec("efficientnet_lite0"), TrainingSettings()


def build_practice(network: gr.State, pictures: Pictures, adapter: gr.State) -> Dependency:
    """Returns the event that follows every training, however it ended."""
    with gr.Column(elem_classes="card"):
        gr.HTML(step(3, "Let it practise", "Only the LoRA learns. The network stays as it is."))
        rank = gr.Slider(
            1,
            MAX_RANK,
            DEFAULT_SPEC.rank,
            step=1,
            label="Size of the LoRA (rank)",
            info="How many numbers may learn. Move it and watch them below.",
            elem_id="rank",
        )
        size = gr.HTML(
            _size(DEFAULT_SPEC.model_name, DEFAULT_SPEC.placement.value, DEFAULT_SPEC.rank),
            elem_id="size",
        )
        start = gr.Button("Train", variant="primary", size="lg", elem_id="train")
        stop = gr.Button("Stop", variant="stop", size="lg", visible=False, elem_id="stop")
        status = gr.HTML(ready_note(0, None))
        plot = gr.HTML(loss_plot((), 1), elem_id="loss")
        with gr.Accordion("More settings", open=False):
            placement = gr.Radio(
                [(title, placement.value) for placement, title in PLACEMENTS.items()],
                value=DEFAULT_SPEC.placement.value,
                label="Where LoRA is added",
                elem_id="placement",
            )
            epochs = gr.Slider(
                1,
                MAX_EPOCHS,
                DEFAULT_SETTINGS.epochs,
                step=1,
                label="Rounds (epochs)",
                info="How often it goes through all the pictures.",
                elem_id="epochs",
            )
            learning_rate = gr.Number(
                DEFAULT_SETTINGS.learning_rate,
                step=0.0001,
                label="Step size (learning rate)",
                info="How much it changes after each look. Too large, and it overshoots.",
                elem_id="learning-rate",
            )
            seed = gr.Number(
                DEFAULT_SPEC.seed,
                precision=0,
                label="Seed",
                info="Where the dice start. The same seed gives the same result.",
                elem_id="seed",
            )

    run = gr.State(None)  # the event that Stop sets; a new one for every training

    def on_train(values: dict) -> Iterator[tuple]:
        """Values by component; yields what becomes of adapter, status and plot."""
        try:
            labelled = to_labelled(values[pictures.gallery], values[pictures.class_name])
            taught = tuple(dict.fromkeys(picture.label for picture in labelled))
            wanted = [values[c] for c in (network, placement, rank, seed)]
            settings = TrainingSettings(values[epochs], values[learning_rate])
            steps = train(
                load_model(values[network]), labelled, AdapterSpec(*wanted, taught), settings
            )
            for progress in throttle(_until(values[run], steps)):
                yield (
                    progress.adapter or gr.skip(),
                    progress_note(progress),
                    loss_plot(progress.points, progress.epochs),
                )
            yield gr.skip(), end_note(progress), gr.skip()
        except LoraDemoError as error:
            yield gr.skip(), problem(error), gr.skip()

    sizing = [network, placement, rank]
    gr.on([c.change for c in sizing], _size, sizing, size, queue=False, **QUIET)
    began = start.click(_begin, None, [run, start, stop, status], queue=False, **QUIET)
    dials = {rank, placement, epochs, learning_rate, seed}
    trained = began.then(
        on_train,
        {run, network, pictures.gallery, pictures.class_name, *dials},
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
    return trained.then(lambda: idle, None, [start, stop], **QUIET)


def _ready(items: Items | None, class_name: str | None) -> str:
    captions = dict.fromkeys(caption for _, caption in items or [] if caption)
    return ready_note(len(items or []), class_name or ", ".join(captions))


def _begin() -> tuple:
    stop = gr.update(visible=True, value="Stop", interactive=True)
    return threading.Event(), gr.update(visible=False), stop, note("Waiting for its turn …", "busy")


def _stop(run: threading.Event | None) -> dict:
    """Training ends by itself after the epoch or the picture that is under way."""
    if run:
        run.set()
    return gr.update(value="Stopping …", interactive=False)


def _until(stopped: threading.Event, steps: Iterator) -> Iterator:
    for progress in steps:
        yield progress
        if stopped.is_set():
            return


def _size(model_name: str, placement: str, rank: int) -> str:
    model = load_model(model_name)
    return size_card(adapter_size(Placement(placement), rank, model), model.title)
