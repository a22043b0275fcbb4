"""What a training learned, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_demo.lora.spec import Placement
from lora_demo.ui.render.notes import bar, note, taught

if TYPE_CHECKING:
    from lora_demo.lora.adapter import Adapter
    from lora_demo.lora.cross_validation import HeldBack, Score


def testing_note(held_back: HeldBack) -> str:
    share = held_back.fold / held_back.folds
    text = f"Testing it fairly: part {held_back.fold} of {held_back.folds} of the pictures hidden"
    return note(f"{text}, the others learned again{bar(share)}", "busy")


def held_back_note(base: Score, adapted: Score) -> str:
    """The result of the honest test, and what to try where it is poor."""
    if not adapted.total:
        return note(
            "<b>A fair test</b> hides one picture and learns from the others. With one picture it "
            "cannot be made: add more."
        )
    text = (
        "<b>A fair test:</b> each picture was hidden once, and LoRA learned from the others. "
        f"It then recognised <b>{adapted}</b> hidden pictures; the network alone {base}. "
    )
    if adapted.correct < 0.6 * adapted.total:
        text += "It learned these pictures, not the thing: add more, with other backgrounds."
    elif adapted.correct == adapted.total:
        text += "It learned the thing, as far as these pictures show it. Try it on harder ones."
    else:
        text += "Mostly it learned the thing. Add pictures like those that you want it to know."
    return note(text)


def strength_note(adapter: Adapter) -> str:
    """Why the dial stands where it stands."""
    text = f"{taught(adapter.spec)} Its own strength is {adapter.strength:.2f}."
    if adapter.spec.placement is Placement.GUARDED:
        text += (
            " It is found, not chosen: few pictures need more strength, many need less, and what "
            "the hidden pictures needed counts, too."
        )
    return f'<p class="quiet">{text}</p>'
