"""Step 5 in words: what a LoRA broke, what it only changed, with thumbnails of the pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo import open_image
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import OF_OTHER_THINGS, OF_THE_VISITOR, OTHER_SETS, PHOTOS

if TYPE_CHECKING:
    from lora_demo import Broken, Changed
    from lora_demo.serving.tasks import ForgettingReport

MAX_SHOWN = 24  # changed pictures
THUMB_PX = 96


def render_forgetting(damage: ForgettingReport, paths: dict[str, list[Path]], guarded: bool) -> str:
    """Say what LoRA did to pictures, by group, and to kinds that it was not to touch.

    Only an answer that was right before can break; every other one can only change.
    """
    groups = {name: broken for name, broken in damage.groups.items() if broken.total}
    photos = _photos(damage, paths)
    changed_groups = [name for name, broken in groups.items() if broken.changed]
    return render(
        "forgetting",
        damage=damage,
        groups=groups,
        title=_title(damage, photos),
        advice=_advice(changed_groups, guarded),
        changes=_changes(groups, paths),
        photos=photos,
    )


def _title(damage: ForgettingReport, photos: list[_Photo]) -> str:
    classes_broke = damage.classes and damage.classes.changed
    if classes_broke or any(photo.is_broken for photo in photos):
        return "It learned, and it broke something else."
    if damage.is_none:
        return "Nothing broken here."
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


def _advice(spoiled: list[str], guarded: bool) -> list[str]:
    """Say what to do about the groups in which answers changed."""
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


def _changes(groups: dict[str, Broken], paths: dict[str, list[Path]]) -> list[tuple[str, Changed]]:
    """Return thumbnail and change of each picture with a new answer, except the photos.

    All photos are listed anyway.
    """
    changes = [
        (name, change)
        for name, broken in groups.items()
        for change in broken.changes
        if name != OF_OTHER_THINGS
    ]
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
