"""Put right what was taken for the thing: half of it teaches, the rest tells what that did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.serving.session import Repair, Session
from lora_demo.ui.render.forgetting import Repaired
from lora_demo.ui.samples import OF_OTHER_THINGS, is_ours, original_of
from lora_demo.ui.steps.return_visit import still_here
from lora_demo.ui.uploads import Items, hand_out, uploads_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lora_demo import Score
    from lora_demo.serving.tasks import ForgettingReport


def look_alikes(
    damage: ForgettingReport, paths: dict[str, list[Path]], words: Sequence[str]
) -> tuple[frozenset[Path], tuple[Path, ...]]:
    """List the look-alikes that were asked, and those that were taken for what was taught."""
    alike = [name for name in paths if name != OF_OTHER_THINGS]
    tested = frozenset(paths[name][at] for name in alike for at in damage.called[name])
    captured = (
        paths[name][change.index]
        for name in alike
        for change in damage.groups[name].changes
        if change.after in words
    )
    return tested, tuple(captured)


def knows_what_taught(session: Session) -> bool:
    """Tell if all that taught the LoRA in use is known; of one from a file it is not."""
    if not session.adapter:
        return False
    spec, labels = session.adapter.spec, [picture.label for picture in session.taught]
    known = labels.count(None) >= (spec.corrections or 0)
    return known and bool(spec.class_names) and {*spec.class_names} <= {*labels}


def correct(session: Session, own: Items | None) -> Items:
    """Make every second captured picture a correction; the others will tell what it did.

    Those that the visitor has put there already are not put there twice.
    """
    there = still_here(own or [])
    known = {original_of(path) for path in uploads_among(path for path, _ in there)}
    captured = [path for path in session.captured if path not in known]
    half = captured[1::2] or captured
    session.repair = None
    if session.adapter and knows_what_taught(session):
        spec, tested = session.adapter.spec, session.tested.difference(half)
        session.repair = Repair(
            spec.class_names,
            spec.corrections or 0,
            tested,
            tested.intersection(captured),
            recognised(session, session.adapter.strength),
        )
    here = [hand_out(path) if is_ours(path) else path for path in half]
    return [*there, *((str(path), None) for path in uploads_among(here))]


def repaired(session: Session) -> Repaired | None:
    """Compare with the LoRA before, on the pictures that taught neither."""
    repair, adapter = session.repair, session.adapter
    spec = adapter and adapter.spec
    if not repair or not adapter or not spec or spec.class_names != repair.words:
        return None
    if spec.corrections == repair.corrections:  # that one is still in use
        return None
    asked = repair.tested & session.tested
    now = asked.intersection(session.captured)
    before, after = repair.recognised, recognised(session, adapter.strength)
    return Repaired(len(asked & repair.captured), len(now), len(asked), before, after)


def recognised(session: Session, strength: float) -> Score | None:
    """Say how many hidden pictures are recognised, if the LoRA in use was tested fairly."""
    tests = [result.test for result in session.results if result.adapter is session.adapter]
    test = tests[0] if tests else None
    every_layer = session.adapter and session.adapter.spec.recipe.every_layer  # not linear
    return test.recognised(strength) if test and not every_layer else None
