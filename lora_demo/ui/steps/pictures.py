"""Steps 1 and 2: the pictures to learn from, and the word for what they show."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import gradio as gr
from gradio.events import Dependency

from lora_demo import class_folders
from lora_demo.serving.session import Session
from lora_demo.ui.events import QUIET, View
from lora_demo.ui.render.notes import step
from lora_demo.ui.samples import DATA, read_all_sets, read_set
from lora_demo.ui.steps.drawing import build_drawing_pad
from lora_demo.ui.steps.tray import Tray, build_gallery, build_tray
from lora_demo.ui.steps.undo import build_undo, set_aside, undo_line, undo_when
from lora_demo.ui.steps.word_field import build_word_field
from lora_demo.ui.uploads import Items


@dataclass(frozen=True)
class Pictures:
    tray: Tray
    class_name: gr.HTML  # its value is the word
    sets: dict[str, gr.Button]  # by folder in data/
    everything: gr.Button  # all the sets
    loads: list[Dependency]  # needed because a gallery that was empty does not report a change
    undo: View  # the line that offers what was there before

    @property
    def gallery(self) -> gr.Gallery:
        """The pictures; a caption is the picture's own class, if it has one."""
        return self.tray.gallery


def build_pictures(visitor: gr.State) -> Pictures:
    with gr.Column(elem_classes="card"):
        gr.HTML(step(1, "Show it some pictures", "Five are enough. Add your own, or take ours:"))
        with gr.Row(elem_classes="sets"):
            sets = {f.name: gr.Button(f.name.capitalize(), size="sm") for f in class_folders(DATA)}
            everything = gr.Button("All of them", size="sm")
        undo = build_undo()
        tray = build_tray(build_gallery("pictures", "Pictures to learn from"), visitor)
        with gr.Accordion("Or draw one yourself", open=False):
            build_drawing_pad("pictures", "Add my drawing")
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(
                2,
                "Say what they show",
                "Choose one of the 1,000 words that the network knows: type to search. Or type a "
                "word of your own, and it learns a new one.",
            )
        )
        class_name = build_word_field()
    chosen = [tray.gallery, class_name]

    def load(read: Callable, session: Session, items: Items | None, word: str | None) -> tuple:
        """Return values of gallery, word, undo line and refusals."""
        loaded = read()
        set_aside(tray.gallery, session, items, word)
        return *loaded, undo_line(session), ""

    readers = {button: partial(read_set, name) for name, button in sets.items()}
    loads = [
        button.click(
            partial(load, read), [visitor, *chosen], [*chosen, undo, tray.refused], **QUIET
        )
        for button, read in {**readers, everything: read_all_sets}.items()
    ]
    loads += [undo_when(undo, visitor, *chosen), tray.arrived]
    return Pictures(tray, class_name, sets, everything, loads, View(_undo, [visitor], [undo]))


def _undo(session: Session) -> tuple[str]:
    return (undo_line(session),)
