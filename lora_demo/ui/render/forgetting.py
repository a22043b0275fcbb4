"""Step 5 in words: what a LoRA broke, what it only changed, with thumbnails of the pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.images.reading import open_image
from lora_demo.ui.render.notes import note
from lora_demo.ui.samples import OF_OTHER_THINGS, OF_THE_VISITOR, OTHER_SETS, PHOTOS

if TYPE_CHECKING:
    from lora_demo.lora.forgetting import Broken
    from lora_demo.serving.tasks import ForgettingReport

MAX_SHOWN = 24  # changed pictures
THUMB_PX = 96


def render_forgetting(damage: ForgettingReport, paths: dict[str, list[Path]], guarded: bool) -> str:
    """Say what LoRA did to pictures, by group, and to kinds that it was not to touch.

    Only what was right before can break; all else can only change.
    """
    groups = {name: broken for name, broken in damage.groups.items() if broken.total}
    classes = damage.classes
    photos = _photos(damage, paths)
    counts = [f"<b>{broken.changed} of {broken.total}</b> {n}" for n, broken in groups.items()]
    lines = [f"Changed their answer: {', '.join(counts)}."]
    if photos:
        known = [photo for photo in photos if photo.was_right]
        lines.append(
            f"The network named <b>{len(known)}</b> of the photos rightly before your lesson; "
            f"<b>{sum(photo.is_broken for photo in known)}</b> of these broke. Where it was wrong "
            "before, or nobody here knows, a new answer is a change and not a fault."
        )
    if classes:
        lines.append(
            f"Of the {classes.total:,} kinds of things that the network knew, <b>{classes.changed}"
            "</b> changed. (Each is tested with a pattern that the network is certain of, made "
            "from its own numbers.)"
        )
    lines += _advice([name for name, broken in groups.items() if broken.changed], guarded)
    broke = any(photo.is_broken for photo in photos) or bool(classes and classes.changed)
    title = (
        "It learned, and it broke something else."
        if broke
        else "Nothing broken here."
        if damage.is_none
        else "Nothing that it knew is broken, but other answers changed."
    )
    text = "".join(f"<p>{line}</p>" for line in lines)
    report = note(f"<b>{title}</b>{text}", "good" if damage.is_none else "warn")
    return report + _changed_pictures(groups, paths) + _photo_list(photos)


@dataclass(frozen=True)
class _Photo:
    path: Path
    shows: str | None  # None where the network has no word for it
    before: str
    after: str

    @property
    def was_right(self) -> bool:
        return self.before == self.shows

    @property
    def is_broken(self) -> bool:
        return self.was_right and self.after != self.before


def _photos(damage: ForgettingReport, paths: dict[str, list[Path]]) -> list[_Photo]:
    """The photos of other things that could be read, with the answers before and after."""
    if OF_OTHER_THINGS not in damage.groups:
        return []
    after = {change.index: change.after for change in damage.groups[OF_OTHER_THINGS].changes}
    called, files = damage.called.get(OF_OTHER_THINGS, {}), paths.get(OF_OTHER_THINGS, ())
    return [
        _Photo(path, PHOTOS.get(str(path)), called[place], after.get(place, called[place]))
        for place, path in enumerate(files)
        if place in called
    ]


def _advice(spoiled: list[str], guarded: bool) -> list[str]:
    """What to do about the groups in which answers changed."""
    lines = []
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
    return lines


def _changed_pictures(groups: dict[str, Broken], paths: dict[str, list[Path]]) -> str:
    changes = [
        (name, change)
        for name, broken in groups.items()
        for change in broken.changes
        if name != OF_OTHER_THINGS  # each of these is listed anyway
    ]
    rows = "".join(
        f'<li><img src="{_shown(name, paths[name][change.index])}" alt=""><span><b class="frozen">'
        f'{escape(change.before)}</b> → <b class="lora">{escape(change.after)}</b></span></li>'
        for name, change in changes[:MAX_SHOWN]
    )
    return f'<ul class="changed">{rows}</ul>' if rows else ""


def _photo_list(photos: list[_Photo]) -> str:
    """Each photo with what the network calls it; those that broke come first."""
    rows = "".join(
        f'<li><img src="{_shown(OF_OTHER_THINGS, photo.path)}" alt=""><span>{_told(photo)}</span>'
        "</li>"
        for photo in sorted(photos, key=lambda photo: (photo.before == photo.after, photo.path))
    )
    return f'<ul class="changed">{rows}</ul>' if rows else ""


def _told(photo: _Photo) -> str:
    before = f'<b class="frozen">{escape(photo.before)}</b>'
    after = f' → <b class="lora">{escape(photo.after)}</b>' if photo.after != photo.before else ""
    if photo.is_broken:
        return f"{before}{after}: right before, now broken"
    if photo.was_right:
        return f"{before}: right, before and now"
    return f"{before}{after}: {'changed, but ' if after else ''}wrong from the start"


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
