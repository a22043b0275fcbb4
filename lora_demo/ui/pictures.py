"""Steps 1 and 2: the pictures to learn from, and the class that they show."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from lora_demo.images import class_folders, read_class_folder, read_class_folders
from lora_demo.ui.drawing import build_drawing_pad
from lora_demo.ui.feedback import QUIET, hand_out, visitor_errors
from lora_demo.ui.labels import Items
from lora_demo.ui.notes import step
from lora_demo.ui.tray import Tray, build_gallery, build_tray
from lora_demo.ui.word_field import build_word_field
from lora_demo.words import CATEGORIES, find_category

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Pictures:
    tray: Tray
    class_name: gr.HTML  # its value is the word
    sets: dict[str, gr.Button]  # by folder in data/
    everything: gr.Button  # all the sets
    loads: list[Dependency]  # a gallery that was empty does not say that it changed

    @property
    def gallery(self) -> gr.Gallery:
        """A caption is the picture's own class, if it has one."""
        return self.tray.gallery


def build_pictures() -> Pictures:
    with gr.Column(elem_classes="card"):
        gr.HTML(step(1, "Show it some pictures", "Five are enough. Add your own, or take ours:"))
        with gr.Row(elem_classes="sets"):
            sets = {f.name: gr.Button(f.name.capitalize(), size="sm") for f in class_folders(DATA)}
            everything = gr.Button("All of them", size="sm")
        tray = build_tray(build_gallery("pictures", "Pictures to learn from"))
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
    loads = [
        button.click(partial(_load_set, name), None, chosen, **QUIET)
        for name, button in sets.items()
    ]
    loads.append(everything.click(_load_all, None, chosen, **QUIET))
    return Pictures(tray, class_name, sets, everything, [*loads, tray.arrived])


def held_out(set_names: Iterable[str]) -> list[str]:
    """Copies of the pictures that are not learned from, in `data/<category>/held_out/`."""
    folders = [DATA / name / "held_out" for name in set_names]
    return [hand_out(path) for folder in folders for path in sorted(folder.glob("[!.]*"))]


def _load_set(name: str) -> tuple[Items, str]:
    with visitor_errors():
        pictures = read_class_folder(DATA / name, CATEGORIES)
        return [(hand_out(p.path), None) for p in pictures], find_category(name, CATEGORIES)


def _load_all() -> tuple[Items, None]:
    """Each picture with its class as caption; the one choice for all is left open."""
    with visitor_errors():
        pictures = read_class_folders(DATA, CATEGORIES)
        return [(hand_out(p.path), p.label) for p in pictures], None
