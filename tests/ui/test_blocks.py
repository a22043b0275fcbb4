"""What the app's Blocks do otherwise than Gradio's."""

import gradio as gr

from lora_demo.ui import build_app


def test_the_queue_looks_for_events_less_often_than_gradios():
    with gr.Blocks() as plain:
        pass

    usual = vars(plain._queue)["sleep_when_free"]  # a KeyError if Gradio renames it
    assert vars(build_app()._queue)["sleep_when_free"] > usual
