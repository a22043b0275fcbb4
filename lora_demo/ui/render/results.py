"""What a training learned, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_demo import limits
from lora_demo.ui.render.amounts import either
from lora_demo.ui.render.notes import note
from lora_demo.ui.render.templates import render

if TYPE_CHECKING:
    from lora_demo import Adapter, HeldBack, Result, Score


def testing_note(held_back: HeldBack) -> str:
    text = (
        f"Testing it fairly: part {held_back.fold} of {held_back.folds} of the pictures hidden, "
        "the others learned again"
    )
    return note(text, "busy", share=held_back.fold / held_back.folds)


def held_back_note(result: Result) -> str:
    """Tell the result of the fair test, and what to try if it is poor."""
    adapted = result.adapted
    if adapted.correct < 0.6 * adapted.total:
        advice = "It learned these pictures, not the thing: add more, with other backgrounds."
    elif adapted.correct == adapted.total:
        advice = "It learned the thing, as far as these pictures show it. Try it on harder ones."
    else:
        advice = "Mostly it learned the thing. Add pictures like those that you want it to know."
    return render("fair_test", result=result, advice=advice)


def strength_note(
    adapter: Adapter, now: float, hidden: Score | None = None, taken: Score | None = None
) -> str:
    """Tell what the dial does where it stands, and where it would stand by itself.

    `hidden` pictures are recognised, and pictures of other things `taken` for what was taught.
    """
    spec, figures = adapter.spec, []
    if hidden and hidden.total:
        figures.append(f"recognises {hidden} hidden pictures")
    if taken and taken.total:
        figures.append(f"takes {taken} pictures of other things for {either(spec.class_names)}")
    return render(
        "strength",
        words=spec.class_names,
        strength=adapter.strength,
        is_found=spec.recipe.method == "guarded",
        most=limits.MAX_STRENGTH,
        now=now,
        figures=figures,
    )
