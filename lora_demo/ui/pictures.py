"""Steps 1 and 2: the pictures to learn from, and the class that they show."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from lora_demo.backbones import CATEGORIES
from lora_demo.errors import LoraDemoError
from lora_demo.images import LabelledImage, read_class_folder
from lora_demo.ui.drawing import build_drawing_pad
from lora_demo.ui.feedback import QUIET, uploaded, visitor_errors
from lora_demo.ui.notes import step

DATA = Path(__file__).parents[2] / "data"
Items = list[tuple[str, str | None]]  # what a gallery holds: (path, caption)


@dataclass(frozen=True)
class Pictures:
    gallery: gr.Gallery  # a caption is the picture's own class, where it has one
    class_name: gr.Dropdown
    sets: dict[str, gr.Button]  # by folder in data/


def build_pictures() -> Pictures:
    with gr.Column(elem_classes="card"):
        gr.HTML(step(1, "Show it some pictures", "Five are enough. Add your own, or take ours:"))
        folders = sorted(f.name for f in DATA.iterdir() if f.is_dir() and f.name[0] not in "._")
        with gr.Row(elem_classes="sets"):
            sets = {name: gr.Button(name.capitalize(), size="sm") for name in folders}
            everything = gr.Button("All of them", size="sm")
        gallery = gr.Gallery(
            label="Pictures to learn from",
            show_label=False,
            type="filepath",
            file_types=["image"],
            sources=["upload", "webcam", "clipboard"],
            columns=5,
            height="auto",
            object_fit="contain",
            buttons=[],
            elem_id="pictures",
        )
        with gr.Accordion("Or draw one yourself", open=False):
            build_drawing_pad("pictures", "Add my drawing")
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(2, "Say what they show", "Choose one of the 1,000 words that the network knows.")
        )
        class_name = gr.Dropdown(
            list(CATEGORIES),
            value=None,
            label="The right answer",
            show_label=False,
            container=False,
            elem_id="class-name",
        )
    for name, button in sets.items():
        button.click(
            lambda name=name: (_load_set(name), name), None, [gallery, class_name], **QUIET
        )
    everything.click(lambda: (_load_all(folders), None), None, [gallery, class_name], **QUIET)
    return Pictures(gallery, class_name, sets)


def held_out(set_name: str) -> list[str]:
    """Paths of a set's pictures that are not learned from, in `data/<category>/held_out/`."""
    return [str(path) for path in sorted((DATA / set_name).glob("held_out/[!.]*"))]


def to_labelled(items: Items | None, class_name: str | None) -> list[LabelledImage]:
    """A gallery's pictures with their classes. Raises `LoraDemoError` on a file from elsewhere."""
    if not items:
        raise LoraDemoError("There are no pictures yet. Add some in step 1.")
    if not class_name and not all(caption for _, caption in items):
        raise LoraDemoError("What do the pictures show? Choose the right answer in step 2.")
    return [LabelledImage(uploaded(path), caption or class_name) for path, caption in items]


def _load_set(name: str) -> Items:
    with visitor_errors():
        return [(str(picture.path), None) for picture in read_class_folder(DATA / name, CATEGORIES)]


def _load_all(names: list[str]) -> Items:
    return [(path, name) for name in names for path, _ in _load_set(name)]
