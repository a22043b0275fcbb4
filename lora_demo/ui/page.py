"""The whole page: its steps in order, and what one step tells the next."""

import os

import gradio as gr
from PIL import Image

from lora_demo.limits import KEEP_SECONDS, MAX_PIXELS
from lora_demo.ui.api import publish_api
from lora_demo.ui.breakage import build_breakage
from lora_demo.ui.calls import Page
from lora_demo.ui.experiments import build_experiments
from lora_demo.ui.keep import build_keep
from lora_demo.ui.look import INTRODUCTION
from lora_demo.ui.network import build_network
from lora_demo.ui.pictures import build_pictures
from lora_demo.ui.practice import build_practice
from lora_demo.ui.tray import build_gallery
from lora_demo.ui.trial import build_trial
from lora_demo.ui.views import draw_after, draw_on
from lora_demo.ui.visitors import Visitor
from lora_demo.ui.welcome import build_welcome, keep_after, leave_after, welcome_back

QUEUE_SECONDS = 0.02  # between two looks for events; Gradio's 0.001 holds trainings up


def build_app() -> gr.Blocks:
    """The Gradio app; `LAUNCH` holds the settings that it is to be launched with."""
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "100000")  # statistics at every event
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow raises at twice this, in Gradio's code, too
    with Page(title="Teach a frozen network", delete_cache=(600, KEEP_SECONDS)) as demo:
        demo.space_id = None  # else, on a Space, Gradio's header asks other hosts for its fonts
        visitor = gr.State(Visitor())
        alone = build_gallery("alone", "Pictures it should leave alone")
        gr.HTML(INTRODUCTION)
        greeting, secret = build_welcome()
        network = build_network()
        with gr.Row(elem_classes="steps"):
            with gr.Column(min_width=320):
                pictures = build_pictures(visitor)
            with gr.Column(min_width=320):
                practice = build_practice(visitor, network.in_use, pictures, alone)
        settings = practice.settings
        trial = build_trial(visitor, network.in_use)
        breakage = build_breakage(visitor, trial.strength, alone, pictures, settings)
        lab = build_experiments(visitor, network.in_use, pictures, alone, settings)
        keep = build_keep(visitor, network.in_use)
        for set_name, button in pictures.sets.items():
            trial.offer_when(button, [set_name])
        trial.offer_when(pictures.everything, list(pictures.sets))
        kept = [network.in_use, pictures.gallery, pictures.class_name, alone, *settings.dials]
        kept += [trial.tray.gallery, trial.chosen]
        jobs = {"lesson_job": practice.watched, "lab": lab.watched}
        for component in kept:
            if component is not pictures.gallery:  # which is kept by step 1 itself
                keep_after(component.change, visitor, component)
        of_the_subject = practice.view, breakage.offer_view
        for part in (pictures.gallery, pictures.class_name):
            draw_on(part.change, *of_the_subject)
        for load in pictures.loads:
            keep_after(load.then, visitor, pictures.gallery)
            draw_after(load, *of_the_subject)
        for tray in (trial.tray, breakage.tray):
            keep_after(tray.arrived.then, visitor, tray.gallery)
        back = welcome_back(demo, visitor, greeting, secret, kept, jobs)
        network.find_after(back, visitor)
        draw_after(practice.ended, practice.view, trial.view)
        of_the_lora = trial.view, breakage.view, keep.view
        for event in (practice.judged, back):
            draw_after(event, *of_the_lora, lab.view)
        draw_after(back, practice.view, pictures.undo)
        for event in (keep.loaded, lab.chosen):
            draw_after(event, *of_the_lora)
        sets = [button.click for button in (*pictures.sets.values(), pictures.everything)]
        leave_after([greeting], [*sets, lab.start.click])
        leave_after([greeting, lab.told, keep.told, breakage.offer], [practice.start.click])
        leave_after([greeting, lab.told], [keep.load.upload])
        leave_after([greeting, keep.told], [lab.table.click])
        publish_api()
    demo._queue.sleep_when_free = QUEUE_SECONDS
    return demo
