"""A pad to draw on; a finished drawing is uploaded to a gallery like any other picture."""

from pathlib import Path

import gradio as gr

COLOURS = {
    "black": "#1f2937",
    "orange": "#ea580c",
    "red": "#dc2626",
    "yellow": "#facc15",
    "green": "#16a34a",
    "blue": "#2563eb",
    "brown": "#92400e",
    "white": "#ffffff",
}
SCRIPT = Path(__file__).with_name("drawing.js").read_text(encoding="utf-8")


def build_drawing_pad(gallery_id: str, button: str) -> gr.HTML:
    """Make a pad whose `button` hands the drawing to the tray of the gallery with that id."""
    pens = "".join(
        f'<button class="pen" style="background:{code}" data-colour="{code}" '
        f'aria-label="{name} pen" aria-pressed="false"></button>'
        for name, code in COLOURS.items()
    )
    return gr.HTML(
        f'<div class="pad" data-gallery="{gallery_id}">'
        '<canvas width="448" height="448" aria-label="Drawing pad"></canvas>'
        f'<div class="pens">{pens}</div><div class="pad-actions">'
        '<button class="undo">Undo</button><button class="clear">Start again</button>'
        f'<button class="use">{button}</button></div></div>',
        js_on_load=SCRIPT,
    )
