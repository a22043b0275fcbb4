"""Step 5 in words: what a LoRA broke, what it only changed, with thumbnails of the pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo import open_image
from lora_demo.ui.render.amounts import either
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import OF_OTHER_THINGS, OF_THE_VISITOR, PHOTOS

if TYPE_CHECKING:
    from lora_demo import Broken, Changed, Score
    from lora_demo.serving.tasks import ForgettingReport

MAX_SHOWN = 24  # changed pictures
THUMB_PX = 96


@dataclass(frozen=True)
class Repaired:
    """Pictures of other things that LoRA takes for what it was taught, before and after."""

    before: int
    now: int
    total: int
    recognised_before: Score | None = None  # of the hidden pictures
    recognised: Score | None = None


def render_forgetting(
    damage: ForgettingReport,
    paths: dict[str, list[Path]],
    words: Sequence[str],
    guarded: bool,
    repaired: Repaired | None = None,
    knows_what_taught: bool = True,
) -> str:
    """Say what LoRA did to pictures, by group, and to kinds that it was not to touch.

    Only an answer that was right before can break; a look-alike is “also called” a taught word.
    """
    alike = {
        name: broken
        for name, broken in damage.groups.items()
        if broken.total and name != OF_OTHER_THINGS
    }
    photos = _photos(damage, paths)
    return render(
        "forgetting",
        damage=damage,
        alike=alike,
        words=words,
        title=_title(damage, photos, alike, words),
        advice=_advice(damage, alike, guarded, knows_what_taught),
        changes=_changes(alike, paths),
        photos=photos,
        of_photos=OF_OTHER_THINGS,
        repaired=repaired,
    )


def _title(
    damage: ForgettingReport, photos: list[_Photo], alike: dict[str, Broken], words: Sequence[str]
) -> str:
    classes_broke = damage.classes and damage.classes.changed
    if classes_broke or any(photo.is_broken for photo in photos):
        return "It learned, and it broke something that it knew."
    if damage.is_none:
        return "Nothing is broken, and nothing else is called so."
    if any(broken.captured for broken in alike.values()):
        return f"Nothing that it knew is broken. But it says {either(words)} of other things, too."
    return "Nothing that it knew is broken, but other answers changed."


@dataclass(frozen=True)
class _Photo:
    path: Path
    shows: str | None  # None if the network has no word for it
    before: str
    after: str

    @property
    def image(self) -> str:
        return _kept_thumbnail(self.path)

    @property
    def was_right(self) -> bool:
        return self.before == self.shows

    @property
    def is_broken(self) -> bool:
        return self.was_right and self.after != self.before


def _photos(damage: ForgettingReport, paths: dict[str, list[Path]]) -> list[_Photo]:
    """Return the photos of other things that could be read; those that changed come first."""
    if OF_OTHER_THINGS not in damage.groups:
        return []
    after = {change.index: change.after for change in damage.groups[OF_OTHER_THINGS].changes}
    called, files = damage.called.get(OF_OTHER_THINGS, {}), paths.get(OF_OTHER_THINGS, ())
    photos = [
        _Photo(path, PHOTOS.get(str(path)), called[place], after.get(place, called[place]))
        for place, path in enumerate(files)
        if place in called
    ]
    return sorted(photos, key=lambda photo: (photo.before == photo.after, photo.path))


def _advice(
    damage: ForgettingReport, alike: dict[str, Broken], guarded: bool, knows_what_taught: bool
) -> list[str]:
    """Say what to do about answers that changed."""
    lines = []
    if any(broken.captured for broken in alike.values()):
        lines.append(
            "What is drawn in the same style looks alike to it. Show it some of these as “none of "
            "these”, and it learns the difference."
        )
    elif guarded and not damage.is_none:
        lines.append("Be more careful in step 4, or add more pictures, and less will change.")
    if not knows_what_taught:
        lines.append(
            "Which pictures taught this LoRA is not known here. If some of these did, they prove "
            "nothing."
        )
    lines.append(
        "A few pictures can show that something broke. They cannot prove that nothing did: add "
        "your own below."
    )
    return lines


def _changes(alike: dict[str, Broken], paths: dict[str, list[Path]]) -> list[tuple[str, Changed]]:
    """Return thumbnail and change of each picture with a new answer."""
    changes = [(name, change) for name, broken in alike.items() for change in broken.changes]
    return [(_shown(name, paths[name][c.index]), c) for name, c in changes[:MAX_SHOWN]]


def _shown(group: str, path: Path) -> str:
    """Return a thumbnail; a visitor's is made anew each time, so that nothing of it is kept."""
    return _thumbnail(path) if group == OF_THE_VISITOR else _kept_thumbnail(path)


def _thumbnail(path: Path) -> str:
    image = open_image(path)
    image.thumbnail((THUMB_PX, THUMB_PX))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


_kept_thumbnail = lru_cache(maxsize=100)(_thumbnail)
