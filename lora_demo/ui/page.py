"""The whole page: its steps in order, and what one step tells the next."""

import os

import gradio as gr
from PIL import Image

from lora_demo import limits
from lora_demo.serving.session import Session
from lora_demo.ui.api import publish_api
from lora_demo.ui.blocks import Page
from lora_demo.ui.events import QUIET, draw_after, draw_on
from lora_demo.ui.steps.comparison import build_comparison
from lora_demo.ui.steps.download import build_download
from lora_demo.ui.steps.forgetting import build_forgetting, forget_drawings
from lora_demo.ui.steps.lab import build_lab
from lora_demo.ui.steps.network import build_network
from lora_demo.ui.steps.pictures import build_pictures
from lora_demo.ui.steps.return_visit import build_welcome, keep_after, leave_after, welcome_back
from lora_demo.ui.steps.training import build_training
from lora_demo.ui.steps.tray import build_gallery
from lora_demo.ui.theme import INTRODUCTION


def build_app() -> gr.Blocks:
    """The Gradio app; `LAUNCH` holds the settings that it is to be launched with."""
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "100000")  # statistics at every event
    Image.MAX_IMAGE_PIXELS = limits.MAX_PIXELS // 2  # Pillow raises at twice this, also in Gradio
    with Page(title="Teach a frozen network", delete_cache=(600, limits.KEEP_SECONDS)) as demo:
        demo.space_id = None  # else, on a Space, Gradio's header asks other hosts for its fonts
        visitor = gr.State(Session())
        alone = build_gallery("alone", "None of these: pictures of other things")
        gr.HTML(INTRODUCTION)
        greeting, secret = build_welcome()
        network = build_network()
        with gr.Row(elem_classes="steps"):
            with gr.Column(min_width=320):
                pictures = build_pictures(visitor)
            with gr.Column(min_width=320):
                training = build_training(visitor, network.in_use, pictures, alone)
        settings = training.settings
        comparison = build_comparison(visitor, network.in_use)
        forgetting = build_forgetting(visitor, comparison, alone, pictures, settings)
        lab = build_lab(visitor, network.in_use, pictures, alone, settings)
        download = build_download(visitor, network.in_use)
        for set_name, button in pictures.sets.items():
            comparison.offer_when(button, [set_name])
        comparison.offer_when(pictures.everything, list(pictures.sets))
        kept = [network.in_use, pictures.gallery, pictures.class_name, alone, *settings.dials]
        kept += [comparison.tray.gallery, comparison.chosen]
        jobs = {"asked": training.current, "lab": lab.current}
        for component in kept:
            if component is not pictures.gallery:  # which is kept by step 1 itself
                keep_after(component.change, visitor, component)
        of_the_subject = training.view, forgetting.offer_view
        for part in (pictures.gallery, pictures.class_name, alone):
            draw_on(part.change, *of_the_subject)
        for load in pictures.loads:
            keep_after(load.then, visitor, pictures.gallery)
            draw_after(load, *of_the_subject)
        subject = [alone, pictures.gallery, pictures.class_name]
        for event in (*(load.then for load in pictures.loads), pictures.class_name.change):
            event(forget_drawings, subject, alone, **QUIET)
        for load in forgetting.loads:
            keep_after(load.then, visitor, alone)
            draw_after(load, training.view)
        keep_after(comparison.tray.arrived.then, visitor, comparison.tray.gallery)
        back = welcome_back(demo, visitor, greeting, secret, kept, jobs)
        network.find_after(back, visitor)
        draw_after(training.ended, training.view, comparison.view)
        of_the_lora = comparison.view, forgetting.view, download.view
        for event in (training.judged, back):
            draw_after(event, *of_the_lora, lab.view)
        draw_after(back, training.view, pictures.undo)
        for event in (download.loaded, lab.chosen):
            draw_after(event, *of_the_lora)
        sets = [button.click for button in (*pictures.sets.values(), pictures.everything)]
        leave_after([greeting], [*sets, lab.start.click])
        told = [greeting, lab.told, download.told, *forgetting.offers]
        leave_after(told, [training.start.click])
        leave_after([greeting, lab.told], [download.load.upload])
        leave_after([greeting, download.told], [lab.table.click])
        publish_api()
    return demo
