"""Score what was learned and what was broken."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lora_demo import FeatureSet
from lora_demo.backbones.features import Features
from tests.benchmarks.peers import Answer
from tests.benchmarks.tasks import Task

STRENGTHS = [1.01**step for step in range(-400, 401)]  # 0.02 to 50


@dataclass(frozen=True)
class Trained:
    """What a recipe made of a task, and the held-out pictures that it did not learn from."""

    task: Task
    held_out: FeatureSet
    answer: Answer
    seconds: float

    def at_strength(self, strength: float) -> Answer:
        """Answer with so many times the change of the logits."""
        return lambda features: torch.lerp(features.logits, self.answer(features), strength)

    @torch.no_grad()
    def score(self, bystanders: Features, strength: float) -> dict:
        answer = self.at_strength(strength)
        taught, held_out = self.task.examples.labels, self.held_out

        def captured(others: Features) -> float:
            before, after = others.logits.argmax(1), answer(others).argmax(1)
            return (torch.isin(after, taught) & ~torch.isin(before, taught)).double().mean().item()

        changed = answer(bystanders).argmax(1) != bystanders.logits.argmax(1)
        lookalikes = self.task.lookalikes
        return {
            "held_out": _right(answer(held_out), held_out.labels),
            "held_out_base": _right(held_out.logits, held_out.labels),
            "captured": captured(bystanders),
            "changed": changed.double().mean().item(),
            "lookalikes": None if lookalikes is None else captured(lookalikes),
            "seconds": self.seconds,
        }


@torch.no_grad()
def equal_strength(trained: list[Trained], held_out: float) -> list[float]:
    """Find the least strength, one for all tasks, that recognises so many held-out pictures.

    It is for comparing recipes only: who teaches a network cannot ask the held-out pictures.
    There is none if no strength recognises so many.
    """
    after = [each.answer(each.held_out) for each in trained]
    for strength in STRENGTHS:
        shares = [
            _right(torch.lerp(each.held_out.logits, logits, strength), each.held_out.labels)
            for each, logits in zip(trained, after, strict=True)
        ]
        if sum(shares) / len(shares) >= held_out:
            return [strength]
    return []


def mean_over(tasks: list[dict]) -> dict:
    """Take the mean of every figure over the tasks that have it."""
    mean = {}
    for name in tasks[0]:
        figures = [task[name] for task in tasks if task[name] is not None]
        mean[name] = sum(figures) / len(figures) if figures else None
    return mean


def _right(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(1) == labels).double().mean().item()
