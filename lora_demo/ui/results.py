"""What a training learned and broke, in sentences, and in thumbnails of the changed pictures."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.images import open_image
from lora_demo.specs import Placement
from lora_demo.ui.notes import bar, note
from lora_demo.ui.unrelated import OF_THE_VISITOR, OTHER_SETS

if TYPE_CHECKING:
    from lora_demo.adapters import Adapter
    from lora_demo.cross_validation import HeldBack, Score
    from lora_demo.jobs import Damage

MAX_SHOWN = 24  # changed pictures
THUMB_PX = 96


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
    text = f"This LoRA’s own strength is {adapter.strength:.2f}."
    if adapter.spec.placement is Placement.GUARDED:
        text += (
            " It is found, not chosen: few pictures need more strength, many need less, and what "
            "the hidden pictures needed counts, too."
        )
    return f'<p class="quiet">{text}</p>'


def broken_report(damage: Damage, paths: dict[str, list[Path]], guarded: bool) -> str:
    """What LoRA did to pictures, by group, and to kinds that it was not to touch.

    Where another recipe would have been safe, its class `harm` shows the button for that.
    """
    groups = {name: broken for name, broken in damage.groups.items() if broken.total}
    classes = damage.classes
    counts = [f"<b>{broken.changed} of {broken.total}</b> {n}" for n, broken in groups.items()]
    lines = [f"Changed their answer: {', '.join(counts)}."]
    if classes:
        lines.append(
            f"Of the {classes.total:,} kinds of things that the network knew, <b>{classes.changed}"
            "</b> changed. (Each is tested with a pattern that the network is certain of, made "
            "from its own numbers.)"
        )
    spoiled = [name for name, broken in groups.items() if broken.changed]
    if spoiled == [OTHER_SETS] and guarded:
        lines.append(
            "Photos are safe. But it learned “a drawing” more than the thing that is drawn. Teach "
            "other drawings in the same go (“All of them” in step 1), and it has to tell them "
            "apart; or turn the strength down in step 4."
        )
    elif spoiled and guarded:
        lines.append("Turn the strength down in step 4, or add more pictures, and less will break.")
    lines.append(
        "A few pictures can show that something broke. They cannot prove that nothing did: add "
        "your own below."
    )
    harm = not damage.is_none
    title = "It learned, and it broke something else." if harm else "Nothing broken here."
    text = "".join(f"<p>{line}</p>" for line in lines)
    changes = [(name, change) for name, b in groups.items() for change in b.changes]
    rows = "".join(
        f'<li><img src="{_shown(name, paths[name][change.index])}" alt=""><span><b class="frozen">'
        f'{escape(change.before)}</b> → <b class="lora">{escape(change.after)}</b></span></li>'
        for name, change in changes[:MAX_SHOWN]
    )
    shown = f'<ul class="changed">{rows}</ul>' if rows else ""
    report = note(f"<b>{title}</b>{text}", "warn" if harm else "good") + shown
    return f'<div class="harm">{report}</div>' if harm and not guarded else report


def _shown(group: str, path: Path) -> str:
    """Small; what is a visitor's is made anew each time, so that nothing of it is kept."""
    return _thumbnail(path) if group == OF_THE_VISITOR else _kept_thumbnail(path)


def _thumbnail(path: Path) -> str:
    image = open_image(path)
    image.thumbnail((THUMB_PX, THUMB_PX))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


_kept_thumbnail = lru_cache(maxsize=100)(_thumbnail)
