"""A pad to draw on; a finished drawing is uploaded to a gallery like any other picture."""

from pathlib import Path

import gradio as gr

from lora_demo.ui.render.templates import render

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
    """Make a pad whose `button` sends the drawing to the tray of the gallery with that id."""
    pad = render("drawing_pad", gallery_id=gallery_id, colours=COLOURS, button=button)
    return gr.HTML(pad, js_on_load=SCRIPT)
