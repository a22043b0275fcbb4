"""Step 5: what the LoRA broke, and the recipe that would not have."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from lora_demo import Placement
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.session import Session
from lora_demo.ui.events import QUIET, View, visitor_errors
from lora_demo.ui.render.forgetting import render_forgetting
from lora_demo.ui.render.notes import note, step, taught_line
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import unrelated_paths
from lora_demo.ui.steps.pictures import Pictures
from lora_demo.ui.steps.settings import Settings
from lora_demo.ui.steps.tray import Tray, build_tray
from lora_demo.ui.steps.undo import CLICK
from lora_demo.ui.uploads import Items, words_shown

SAFE = render("safe")
PRESS_TRAIN = "() => document.querySelector('#train').click()"


@dataclass(frozen=True)
class ForgettingStep:
    tray: Tray  # of the visitor's own pictures that are not to change
    view: View  # at the LoRA's own strength; the dial changes it
    offer: gr.HTML
    offer_view: View  # of the recipe that would be safe


def build_forgetting(
    visitor: gr.State,
    strength: gr.Slider,
    alone: gr.Gallery,
    pictures: Pictures,
    settings: Settings,
) -> ForgettingStep:
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(
                5,
                "What did it break?",
                "It should learn one thing and not forget the others. Here it is asked about "
                "pictures that have nothing to do with your lesson.",
            )
        )
        report = gr.HTML(_waiting(), elem_id="broken")
        safe = gr.HTML(js_on_load=CLICK)
        with gr.Accordion("Pictures it should leave alone", open=False):
            tray = build_tray(alone, visitor)
    there_now = [visitor, pictures.gallery, pictures.class_name]
    inputs, outputs = [*there_now, alone], [report, safe]
    tray.arrived.then(_report, [*inputs, strength], outputs, **QUIET)
    moved = [alone.delete, strength.input, strength.release]
    gr.on(moved, _report, [*inputs, strength], outputs, trigger_mode="always_last", **QUIET)
    chosen = safe.click(
        lambda: Placement.GUARDED.value, None, settings.placement, queue=False, **QUIET
    )
    settings.use_own_after(chosen.then).then(None, None, None, js=PRESS_TRAIN)
    return ForgettingStep(
        tray, View(_report, inputs, outputs), safe, View(_offer, there_now, [safe])
    )


def _waiting() -> str:
    return note("After a training, you see here what became of other pictures.")


def _report(
    session: Session,
    items: Items | None,
    class_name: str | None,
    own: Items | None,
    strength: float | None = None,
) -> tuple[str, str]:
    """Test our pictures and the visitor's own, by default at the LoRA's own strength."""
    from lora_demo.serving.tasks import measure_forgetting

    adapter = session.adapter
    if adapter is None:
        return _waiting(), ""
    with visitor_errors():
        unrelated = unrelated_paths(adapter.spec.class_names, own)
        damage = QUEUE.run_now(session, measure_forgetting, adapter, strength, unrelated)
        guarded = adapter.spec.recipe.method == "guarded"
        report = render_forgetting(damage, unrelated, guarded)
    session.harm = not guarded and not damage.is_none
    return taught_line(adapter.spec) + report, *_offer(session, items, class_name)


def _offer(session: Session, items: Items | None, class_name: str | None) -> tuple[str]:
    """Offer the same lesson with the safe recipe, if it is needed and can begin at once."""
    under_way = session.asked and not session.asked.job.done.is_set()
    if not session.adapter or not session.harm or under_way:
        return ("",)
    same_words = {*words_shown(items, class_name)} == {*session.adapter.spec.class_names}
    return (SAFE if same_words else "",)
