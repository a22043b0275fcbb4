"""Steps 1 and 2: the pictures to learn from, and the class that they show."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from lora_demo.errors import ImageError, bare
from lora_demo.images import (
    class_folders,
    open_image,
    read_class_folder,
    read_class_folders,
)
from lora_demo.ui.drawing import build_drawing_pad
from lora_demo.ui.feedback import QUIET, hand_out, uploaded, visitor_errors
from lora_demo.ui.labels import Items
from lora_demo.ui.notes import note, refused_note, step
from lora_demo.ui.word_field import build_word_field
from lora_demo.words import CATEGORIES, find_category

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Pictures:
    gallery: gr.Gallery  # a caption is the picture's own class, where it has one
    class_name: gr.HTML  # its value is the word
    sets: dict[str, gr.Button]  # by folder in data/
    everything: gr.Button  # all the sets
    loads: list[Dependency]  # of the sets; a gallery that was empty does not say that it changed


def build_pictures() -> Pictures:
    with gr.Column(elem_classes="card"):
        gr.HTML(step(1, "Show it some pictures", "Five are enough. Add your own, or take ours:"))
        with gr.Row(elem_classes="sets"):
            sets = {f.name: gr.Button(f.name.capitalize(), size="sm") for f in class_folders(DATA)}
            everything = gr.Button("All of them", size="sm")
        gallery = build_gallery("pictures", "Pictures to learn from")
        sort_uploads(gallery, leave_out_bad)
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
    chosen = [gallery, class_name]
    loads = [
        button.click(partial(_load_set, name), None, chosen, **QUIET)
        for name, button in sets.items()
    ]
    loads.append(everything.click(_load_all, None, chosen, **QUIET))
    return Pictures(gallery, class_name, sets, everything, loads)


def build_gallery(elem_id: str, label: str, value: Items | None = None, **more) -> gr.Gallery:
    """Pictures from files, webcam and clipboard; handlers get (path, caption) pairs."""
    return gr.Gallery(
        value,
        label=label,
        show_label=False,
        type="filepath",
        file_types=["image"],
        sources=["upload", "webcam", "clipboard"],
        interactive=True,
        columns=5,
        height="auto",
        object_fit="contain",
        buttons=[],
        elem_id=elem_id,
        **more,
    )


def sort_uploads(gallery: gr.Gallery, sort: Callable, *more: gr.components.Component) -> Dependency:
    """After an upload, with a note below the gallery; `sort` returns what becomes of `more`, too.

    The gallery is written by an event of its own, where a file was bad: Gradio 6.31 keeps one more
    gallery in memory each time that an event skips it.
    """
    refused, good = gr.HTML(), gr.State(None)
    sorted_out = gallery.upload(sort, gallery, [good, refused, *more], **QUIET)
    good.change(lambda good: good.items, good, gallery, **QUIET)
    return sorted_out


@dataclass(frozen=True, eq=False)  # each is a change, even if the one before held the same
class Good:
    items: Items


def leave_out_bad(items: Items | None) -> tuple[Good | dict, str]:
    """The pictures that can be read, where not all can, and a note on the others."""
    if not items:  # Gradio 6.31 loses what is dropped while it is still opening an accordion
        return gr.skip(), note("The page was not ready yet. Please add it once more.", "warn")
    errors = {path: _flaw(path) for path, _ in items}
    bad = [error for error in errors.values() if error]
    if not bad:
        return gr.skip(), ""
    return Good([item for item in items if not errors[item[0]]]), refused_note(bad)


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


@lru_cache(maxsize=4096)  # an upload's path holds the digest of its content
def _flaw(path: str) -> ImageError | None:
    with visitor_errors():
        file = uploaded(path)
    try:
        open_image(file)
    except ImageError as error:
        return bare(error)
    return None
