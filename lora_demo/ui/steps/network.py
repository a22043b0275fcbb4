"""Which frozen network is taught: the choice, and the download of VGG-19."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from lora_demo import (
    BASE_MODELS,
    BUILT_IN,
    VGG19_MEGABYTES,
    VGG19_VARIABLE,
    FrozenModel,
    WeightsError,
    download_vgg19,
    load_model,
)
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.session import Session
from lora_demo.ui.events import QUIET, throttle
from lora_demo.ui.render.notes import download_note, problem
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import flatten, unrelated_paths


@dataclass(frozen=True)
class Network:
    in_use: gr.State  # the name
    wish: gr.Radio
    line: gr.HTML
    outputs: list[gr.components.Component]

    def find_after(self, event: Dependency, visitor: gr.State) -> None:
        """Choose the network that the visitor had; at first VGG-19, if its weights are here."""

        def find(session: Session) -> tuple:
            return *_choose(session.page.get(self.in_use, "vgg19"))[:3], ""

        found = event.then(find, visitor, self.outputs, **QUIET)
        found.then(_show, self.in_use, [self.wish, self.line], **QUIET)


def build_network() -> Network:
    in_use = gr.State(BUILT_IN)
    with gr.Column(elem_classes="card network"):
        line = gr.HTML(_network_line(None), elem_id="network-line")
        with gr.Accordion("Choose another network", open=False):
            wish = gr.Radio(
                [(f"{row.title}, {row.about}", name) for name, row in BASE_MODELS.items()],
                value=BUILT_IN,
                label="The frozen network",
                info="It learned 1,000 kinds of things from a million photos (ImageNet). Frozen: "
                "nothing that you do here changes it.",
                elem_id="network",
            )
            status = gr.HTML()
            download = gr.Button(
                f"Download VGG-19 ({VGG19_MEGABYTES} MB, once)", visible=False, elem_id="download"
            )
    outputs = [in_use, wish, download, status]
    in_use.change(_show, in_use, [wish, line], **QUIET)
    wish.input(_choose, wish, outputs, **QUIET)
    download.click(_download, None, outputs, concurrency_id="download", **QUIET)
    return Network(in_use, wish, line, outputs)


def get_ready() -> None:
    """Do what the first visitor would wait for; it takes seconds, while the page is served."""
    from lora_demo.serving.tasks import warm_up

    QUEUE.run_on_all(warm_up, _choose("vgg19")[0], flatten(unrelated_paths(())))


def _choose(name: str) -> tuple:
    """Take that network if it can be loaded; otherwise take the built-in one, and say why."""
    try:
        load_model(name)
    except WeightsError as error:
        named = VGG19_VARIABLE in os.environ  # then a download would not be used
        return BUILT_IN, BUILT_IN, gr.update(visible=not named, interactive=True), problem(error)
    return name, name, gr.update(visible=False) if name == "vgg19" else gr.skip(), ""


def _show(name: str) -> tuple[str, str]:
    return name, _network_line(load_model(name))


def _download() -> Iterator[tuple]:
    unchanged = gr.skip(), gr.skip()
    already_here = _choose("vgg19")  # another visitor may have downloaded it meanwhile
    try:
        for progress in throttle(download_vgg19()) if already_here[-1] else ():
            yield *unchanged, gr.update(interactive=False), download_note(progress)
        yield _choose("vgg19")
    except WeightsError as error:
        yield *unchanged, gr.update(interactive=True), problem(error)


def _network_line(model: FrozenModel | None) -> str:
    return render("network_line", model=model)
