"""Step 5: what the LoRA broke or takes for what it was taught, and how to put that right."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from lora_demo import Placement
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.session import Session
from lora_demo.ui.events import QUIET, View
from lora_demo.ui.render.forgetting import render_forgetting
from lora_demo.ui.render.notes import note, quiet, step, taught_line
from lora_demo.ui.render.results import strength_note
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import unrelated_paths, without_drawings_of
from lora_demo.ui.steps.comparison import ComparisonStep
from lora_demo.ui.steps.pictures import Pictures
from lora_demo.ui.steps.repair import correct, knows_what_taught, look_alikes, recognised, repaired
from lora_demo.ui.steps.return_visit import still_here
from lora_demo.ui.steps.settings import Settings
from lora_demo.ui.steps.tray import build_tray
from lora_demo.ui.steps.undo import CLICK
from lora_demo.ui.uploads import Items, words_shown

SAFE = render("safe")
PRESS_TRAIN = "() => document.querySelector('#train').click()"


@dataclass(frozen=True)
class ForgettingStep:
    loads: list[Dependency]  # needed because a gallery that was empty does not report a change
    view: View  # at the LoRA's own strength; the dial changes it
    offers: list[gr.HTML]
    offer_view: View  # of what would do better


def build_forgetting(
    visitor: gr.State,
    comparison: ComparisonStep,
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
        safe, right = gr.HTML(js_on_load=CLICK), gr.HTML(js_on_load=CLICK)
        with gr.Accordion("None of these: pictures of other things", open=False):
            gr.HTML(
                quiet(
                    "They teach it what other things look like. Three to six are enough; then "
                    "press Train again. Pictures that taught are no longer used as test questions."
                )
            )
            tray = build_tray(alone, visitor)
    there_now = [visitor, pictures.gallery, pictures.class_name]
    inputs, outputs = [*there_now, alone], [report, comparison.why, safe, right]
    strength = comparison.strength
    tray.arrived.then(_report, [*inputs, strength], outputs, **QUIET)
    moved = [alone.delete, strength.input, strength.release]
    gr.on(moved, _report, [*inputs, strength], outputs, trigger_mode="always_last", **QUIET)
    chosen = safe.click(
        lambda: Placement.GUARDED.value, None, settings.placement, queue=False, **QUIET
    )
    settings.use_own_after(chosen.then).then(None, None, None, js=PRESS_TRAIN)
    corrected = right.click(correct, [visitor, alone], alone, **QUIET)
    corrected.then(None, None, None, js=PRESS_TRAIN)
    offers = View(_offer, there_now, [safe, right])
    loads = [tray.arrived, corrected]
    return ForgettingStep(loads, View(_report, inputs, outputs), [safe, right], offers)


def forget_drawings(own: Items | None, items: Items | None, class_name: str | None) -> Items:
    """Take our drawings of what is taught now out of the tray of other things."""
    return still_here(without_drawings_of(words_shown(items, class_name), own))


def _waiting() -> str:
    return note("After a training, you see here what became of other pictures.")


def _report(
    session: Session,
    items: Items | None,
    class_name: str | None,
    own: Items | None,
    strength: float | None = None,
) -> tuple[str, str, str, str]:
    """Test our pictures and the visitor's own, by default at the LoRA's own strength.

    Only what it takes for the thing at that strength is remembered, to be put right and compared.
    """
    from lora_demo import Score
    from lora_demo.serving.tasks import measure_forgetting

    adapter = session.adapter
    if adapter is None:
        return _waiting(), "", "", ""
    spec = adapter.spec
    unrelated = unrelated_paths(spec.class_names, own, session.taught)
    damage = QUEUE.run_now(session, measure_forgetting, adapter, strength, unrelated)
    guarded = spec.recipe.method == "guarded"
    session.harm = not guarded and not damage.is_none
    tested, captured = look_alikes(damage, unrelated, spec.class_names)
    now = adapter.strength if strength is None else strength
    told = None
    if now == adapter.strength and session.adapter is adapter:
        session.tested, session.captured = tested, captured
        told = repaired(session)
    safe, right = _offer(session, items, class_name)
    known = knows_what_taught(session)
    return (
        taught_line(spec)
        + render_forgetting(damage, unrelated, spec.class_names, guarded, told, known),
        strength_note(adapter, now, recognised(session, now), Score(len(captured), len(tested))),
        safe,
        right if captured else "",
    )


def _offer(session: Session, items: Items | None, class_name: str | None) -> tuple[str, str]:
    """Offer the safe recipe, or to put right what was captured, if it can begin at once."""
    under_way = session.asked and not session.asked.job.done.is_set()
    if not session.adapter or under_way:
        return "", ""
    shown = {*words_shown(items, class_name)}
    if not shown or shown != {*session.adapter.spec.class_names}:
        return "", ""
    if session.harm:
        return SAFE, ""
    can_be_put_right = session.captured and knows_what_taught(session)  # else that would be lost
    return "", render("put_right", count=len(session.captured)) if can_be_put_right else ""
