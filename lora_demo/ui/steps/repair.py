"""Put right what was taken for the thing: half of it teaches, the rest tells what that did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lora_demo.serving.session import Repair, Session
from lora_demo.ui.render.forgetting import Repaired
from lora_demo.ui.samples import OF_OTHER_THINGS
from lora_demo.ui.steps.return_visit import still_here
from lora_demo.ui.uploads import Items, uploads_among

if TYPE_CHECKING:
    from lora_demo import Score
    from lora_demo.serving.tasks import ForgettingReport


def remember(session: Session, damage: ForgettingReport, paths: dict[str, list[Path]]) -> None:
    """Remember the look-alikes that were asked, and those that were taken for what was taught."""
    words = session.adapter.spec.class_names if session.adapter else ()
    alike = [name for name in paths if name != OF_OTHER_THINGS]
    session.tested = frozenset(paths[name][at] for name in alike for at in damage.called[name])
    session.captured = tuple(
        paths[name][change.index]
        for name in alike
        for change in damage.groups[name].changes
        if change.after in words
    )


def correct(session: Session, own: Items | None) -> Items:
    """Make every second captured picture a correction; the others will tell what it did."""
    captured = session.captured
    half: Iterable[Path] = captured[1::2] or captured
    if session.adapter:
        spec, tested = session.adapter.spec, session.tested.difference(half)
        session.repair = Repair(
            spec.class_names,
            spec.corrections or 0,
            tested,
            tested.intersection(captured),
            recognised(session, session.adapter.strength),
        )
    return [*still_here(own or []), *((str(path), None) for path in uploads_among(half))]


def repaired(session: Session, strength: float) -> Repaired | None:
    """Compare with the LoRA before, on the pictures that taught neither."""
    repair, spec = session.repair, session.adapter and session.adapter.spec
    if not repair or not spec or spec.class_names != repair.words:
        return None
    if spec.corrections == repair.corrections:  # that one is still in use
        return None
    asked = repair.tested & session.tested
    now = asked.intersection(session.captured)
    before, after = repair.recognised, recognised(session, strength)
    return Repaired(len(asked & repair.captured), len(now), len(asked), before, after)


def recognised(session: Session, strength: float) -> Score | None:
    """Say how many hidden pictures are recognised, if the LoRA in use was tested fairly."""
    tests = [result.test for result in session.results if result.adapter is session.adapter]
    test = tests[0] if tests else None
    every_layer = session.adapter and session.adapter.spec.recipe.every_layer  # not linear
    return test.recognised(strength) if test and not every_layer else None
