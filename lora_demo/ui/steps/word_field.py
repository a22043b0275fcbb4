"""The field for a word: one of the 1,000 or a new one; what was typed wins."""

from pathlib import Path

import gradio as gr

from lora_demo.class_names import CATEGORIES

MAX_LETTERS = 100  # more than any word may have, so that too long a one is named, not cut short
MARKUP = f"""
<div class="word-field">
  <input type="text" role="combobox" aria-label="What do the pictures show?"
    aria-autocomplete="list" aria-expanded="false" placeholder="Type a word, such as goldfish"
    autocomplete="off" autocapitalize="off" autocorrect="off" spellcheck="false"
    enterkeyhint="done" dir="auto" maxlength="{MAX_LETTERS}">
  <ul role="listbox" aria-label="Words" hidden></ul>
  <span role="status"></span>
</div>
"""
SCRIPT = Path(__file__).with_name("word_field.js").read_text(encoding="utf-8")


def build_word_field() -> gr.HTML:
    """Its value is the committed word; it changes once a commit, not with every key."""
    field = gr.HTML(
        html_template=MARKUP,
        js_on_load=SCRIPT,
        apply_default_css=False,
        elem_id="class-name",
        words=sorted(CATEGORIES, key=str.casefold),  # sent once, with the page
    )
    # On this one, as a class derived from a component makes Gradio write a file beside its source.
    field.preprocess = _text_or_none
    field.postprocess = _text_or_none  # HTML's own logs a warning where a word looks like a script
    return field


def _text_or_none(word: object) -> str | None:
    """What a forged request sends is no word, or no longer than a name in a message."""
    return word[:MAX_LETTERS] if isinstance(word, str) else None
