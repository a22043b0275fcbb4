"""Step 4: the base model's answer to any picture, beside base + LoRA's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from lora_demo import BASE_MODELS, LoraDemoError, limits
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.session import Session
from lora_demo.serving.sessions import SESSIONS
from lora_demo.ui.events import QUIET, View, reveal_on
from lora_demo.ui.render.charts import comparison_card
from lora_demo.ui.render.notes import nothing_to_compare, problem, step
from lora_demo.ui.samples import PHOTOS, held_out
from lora_demo.ui.sent import carried
from lora_demo.ui.steps.drawing import build_drawing_pad
from lora_demo.ui.steps.return_visit import still_here
from lora_demo.ui.steps.tray import Tray, build_gallery, build_tray
from lora_demo.ui.uploads import Items, hand_out, uploaded


@dataclass(frozen=True)
class ComparisonStep:
    tray: Tray
    chosen: gr.State  # path of the picture under comparison
    inputs: Sequence[gr.components.Component]
    card: gr.HTML
    strength: gr.Slider
    why: gr.HTML  # what the dial does; step 5 knows
    view: View  # at the LoRA's own strength

    def compare_after(self, event: Dependency) -> Dependency:
        return event.then(_compare, self.inputs, self.card, **QUIET)

    def offer_when(self, button: gr.Button, set_names: Sequence[str]) -> None:
        """Bring the unseen pictures of those sets at a click, and choose the first."""
        outputs = [self.tray.gallery, self.chosen]
        offer = partial(_offer, set_names)
        self.compare_after(button.click(offer, self.tray.gallery, outputs, **QUIET))


def build_comparison(visitor: gr.State, network: gr.State) -> ComparisonStep:
    chosen = gr.State(None)
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(
                4,
                "See what it learned",
                "Tap a picture or add your own. Try new ones of the same thing, and pictures of "
                "something else: did LoRA leave those alone?",
            )
        )
        with gr.Row(elem_classes="steps"):
            with gr.Column(min_width=320):
                gallery = build_gallery("trial", "Pictures to try", _others(), allow_preview=False)
                tray = build_tray(gallery, visitor, chosen)
                with gr.Accordion("Or draw one", open=False):
                    build_drawing_pad("trial", "What is my drawing?")
            with gr.Column(min_width=320, elem_id="answers"):
                shown = gr.Image(
                    interactive=False,
                    show_label=False,
                    buttons=[],
                    height=130,
                    alt_text="The picture that is tried",
                    elem_id="chosen",
                )
                card = gr.HTML(nothing_to_compare(), elem_id="comparison")
                strength = gr.Slider(
                    0,
                    limits.MAX_STRENGTH,
                    1.0,
                    step=0.01,
                    buttons=[],  # its reset would not go to the LoRA's own
                    label="How eager? (strength of LoRA)",
                    info="0 switches it off. More recognises more, and takes more for it.",
                    elem_id="strength",
                )
                why = gr.HTML(elem_id="dial")
    view = View(_settle, (chosen, visitor, network), (strength, card))
    inputs = (chosen, visitor, network, strength)
    built = ComparisonStep(tray, chosen, inputs, card, strength, why, view)
    built.compare_after(tray.arrived)
    tapped = gallery.select(_choose, gallery, [chosen, gallery], **QUIET)
    reveal_on(built.compare_after(tapped).then, "answers", "comparison")
    built.compare_after(gallery.delete(lambda: None, None, chosen, **QUIET))
    chosen.change(lambda path: path, chosen, shown, **QUIET)
    gr.on(
        [strength.input, strength.release, network.change],
        _compare,
        built.inputs,
        card,
        trigger_mode="always_last",
        **QUIET,
    )
    return built


def _compare(
    path: str | None, session: Session, network: str, strength: float | None = None
) -> str:
    """Compare the answers, by default at the LoRA's own strength."""
    from lora_demo.serving.tasks import compare_picture

    SESSIONS.keep(session)
    adapter = session.adapter
    if path is None:
        return nothing_to_compare()
    name = adapter.spec.model_name if adapter else network
    try:
        comparison = QUEUE.run_now(session, compare_picture, Path(path), name, adapter, strength)
    except LoraDemoError as error:
        return problem(error)
    if strength is None:
        strength = adapter.strength if adapter else 1.0
    return comparison_card(comparison, BASE_MODELS[name].title, adapter is not None, strength)


def _settle(path: str | None, session: Session, network: str) -> tuple:
    """Set the dial to the LoRA's own strength, and compare."""
    strength = session.adapter.strength if session.adapter else gr.skip()
    return strength, _compare(path, session, network)


def _offer(set_names: Sequence[str], there: Items | None) -> tuple[Items, str]:
    """Put our pictures first; the visitor's own stay behind them."""
    items = [*((path, "new") for path in held_out(set_names)), *_others()]
    own = [item for item in still_here(there or []) if item[1] not in ("new", "other")]
    return [*items, *own], items[0][0]


def _others() -> Items:
    return [(hand_out(path), "other") for path in PHOTOS]


def _choose(items: Items | None, picked: gr.EventData) -> tuple[str, gr.Gallery]:
    """Choose it, and select nothing: a gallery with a selection takes no more pictures."""
    place = carried(picked, "index")
    if type(place) is not int or place not in range(len(items or ())):
        raise LoraDemoError("That picture is not there any more. Choose another one.")
    return str(uploaded((items or [])[place][0])), gr.Gallery(selected_index=None)
