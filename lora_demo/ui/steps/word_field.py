"""The field for a word: one of the 1,000 or a new one; a typed word wins."""

from pathlib import Path

import gradio as gr

from lora_demo import CATEGORIES
from lora_demo.ui.render.templates import render

MAX_LETTERS = 100  # more than a word may have: a longer one is refused by name, not cut short
SCRIPT = Path(__file__).with_name("word_field.js").read_text(encoding="utf-8")


def build_word_field() -> gr.HTML:
    """Make the field; its value is the committed word, so it does not change with every key."""
    field = gr.HTML(
        html_template=render("word_field", max_letters=MAX_LETTERS),
        js_on_load=SCRIPT,
        apply_default_css=False,
        elem_id="class-name",
        words=sorted(CATEGORIES, key=str.casefold),  # sent once, with the page
    )
    # HTML's own logs a warning if a word looks like a script.
    # Set on this one: for a subclass of a component, Gradio writes a file beside its source.
    field.postprocess = lambda value: value
    return field
