"""The whole page: its steps in order, and what one step tells the next."""

import gradio as gr
from PIL import Image

from lora_demo.limits import MAX_PIXELS
from lora_demo.ui.api import publish_api
from lora_demo.ui.breakage import build_breakage
from lora_demo.ui.experiments import build_experiments
from lora_demo.ui.feedback import FORGET_SECONDS
from lora_demo.ui.keep import build_keep
from lora_demo.ui.look import INTRODUCTION
from lora_demo.ui.network import build_network
from lora_demo.ui.pictures import build_gallery, build_pictures
from lora_demo.ui.practice import build_practice
from lora_demo.ui.trial import build_trial


def build_app() -> gr.Blocks:
    """The Gradio app; `LAUNCH` holds the settings that it is to be launched with."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow raises at twice this, in Gradio's code, too
    with gr.Blocks(title="Teach a frozen network", delete_cache=(600, FORGET_SECONDS)) as demo:
        adapter = gr.State(None)
        results = gr.State([])
        alone = build_gallery("alone", "Pictures it should leave alone", render=False)
        gr.HTML(INTRODUCTION)
        network = build_network(demo)
        with gr.Row(elem_classes="steps"):
            with gr.Column(min_width=320):
                pictures = build_pictures()
            with gr.Column(min_width=320):
                practice = build_practice(network, pictures, alone, adapter, results)
        settings = practice.settings
        trial = build_trial(network, adapter)
        breakage = build_breakage(adapter, trial.strength, alone, settings)
        chosen = build_experiments(network, pictures, alone, settings, adapter, results)
        keep = build_keep(network, adapter)
        for set_name, button in pictures.sets.items():
            trial.offer_when(button, [set_name])
        trial.offer_when(pictures.everything, list(pictures.sets))
        for event in (practice.ended, practice.judged, keep.loaded, chosen):
            breakage.report_after(trial.settle_after(event, adapter))
            keep.offer_after(event, adapter)
        publish_api()
    return demo
