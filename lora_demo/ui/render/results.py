"""What a training learned, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_demo.ui.render.notes import note
from lora_demo.ui.render.templates import render

if TYPE_CHECKING:
    from lora_demo import Adapter, HeldBack, Score


def testing_note(held_back: HeldBack) -> str:
    text = (
        f"Testing it fairly: part {held_back.fold} of {held_back.folds} of the pictures hidden, "
        "the others learned again"
    )
    return note(text, "busy", share=held_back.fold / held_back.folds)


def held_back_note(base: Score, adapted: Score) -> str:
    """Tell the result of the fair test, and what to try if it is poor."""
    if adapted.correct < 0.6 * adapted.total:
        advice = "It learned these pictures, not the thing: add more, with other backgrounds."
    elif adapted.correct == adapted.total:
        advice = "It learned the thing, as far as these pictures show it. Try it on harder ones."
    else:
        advice = "Mostly it learned the thing. Add pictures like those that you want it to know."
    return render("fair_test", base=base, adapted=adapted, advice=advice)


def strength_note(adapter: Adapter) -> str:
    """Tell why the dial stands at this strength."""
    spec = adapter.spec
    is_found = spec.recipe.method == "guarded"
    return render("strength", words=spec.class_names, strength=adapter.strength, is_found=is_found)
