"""Step 5: what the LoRA broke, and the recipe that would not."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from lora_demo.desk import DESK
from lora_demo.specs import Placement
from lora_demo.ui.damage import broken_report
from lora_demo.ui.feedback import QUIET, visitor_errors
from lora_demo.ui.labels import Items
from lora_demo.ui.notes import note, step
from lora_demo.ui.settings import Settings
from lora_demo.ui.tray import Tray, build_tray
from lora_demo.ui.unrelated import unrelated_paths
from lora_demo.ui.views import View
from lora_demo.ui.visitors import Visitor

PRESS_TRAIN = "() => document.querySelector('#train').click()"


@dataclass(frozen=True)
class Breakage:
    tray: Tray  # of the visitor's own pictures that are not to change
    view: View  # at the LoRA's own strength; the dial moves it from there


def build_breakage(
    visitor: gr.State, strength: gr.Slider, alone: gr.Gallery, settings: Settings
) -> Breakage:
    """Build step 5."""
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(
                5,
                "What did it break?",
                "Whoever learns one thing must not forget the others. Here it is asked about "
                "pictures that have nothing to do with your lesson.",
            )
        )
        report = gr.HTML(_waiting(), elem_id="broken")
        safe = gr.Button(
            "Train the same pictures with “Keep old knowledge”, and see both below",
            variant="primary",
            elem_id="safe",
        )
        with gr.Accordion("Pictures it should leave alone", open=False):
            tray = build_tray(alone)
    inputs = [visitor, alone, strength]
    tray.arrived.then(_report, inputs, report, **QUIET)
    moved = [alone.delete, strength.input, strength.release]
    gr.on(moved, _report, inputs, report, trigger_mode="always_last", **QUIET)
    chosen = safe.click(
        lambda: Placement.GUARDED.value, None, settings.placement, queue=False, **QUIET
    )
    own = chosen.then(settings.use_own, settings.placement, settings.course, queue=False, **QUIET)
    own.then(None, None, None, js=PRESS_TRAIN)
    return Breakage(tray, View(_own_report, inputs[:2], [report]))


def _waiting() -> str:
    return note("After a training, you see here what became of other pictures.")


def _own_report(me: Visitor, own: Items | None) -> tuple[str]:
    """At the LoRA's own strength."""
    return (_report(me, own),)


def _report(me: Visitor, own: Items | None, strength: float | None = None) -> str:
    """Over the fixed pictures and the visitor's own; at the LoRA's own strength by default."""
    from lora_demo.jobs import assess

    adapter = me.adapter
    if adapter is None:
        return _waiting()
    with visitor_errors():
        unrelated = unrelated_paths(adapter.spec.class_names, own)
        damage = DESK.ask(me, assess, adapter, strength, unrelated)
        guarded = adapter.spec.placement is Placement.GUARDED
        return broken_report(damage, unrelated, guarded)
