"""One row a recipe: what its update reads, how it is trained by default, and how the page names it.

To add one, add a `Placement` and its row; `methods` has how a method makes, trains and tests it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from lora_demo.backbones.models import BaseModel, FrozenModel
from lora_demo.errors import LoraDemoError, shorten
from lora_demo.limits import MAX_EPOCHS, MAX_LEARNING_RATE


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Placement(str, Enum):
    """What the low-rank update reads; it adds to the base model's logits."""

    PIXELS = "pixels"  # the normalised pixels: the article's LoRA
    HEAD = "head"  # the input of the last linear layer: what PEFT does with that layer
    GUARDED = "guarded"  # the same input, less what all classes share: keeps old knowledge
    CLASSIFIER = "classifier"  # the input of every linear layer, with an update for each


@dataclass(frozen=True)
class TrainingSettings:
    epochs: int = 100
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if not (type(self.epochs) is int and 1 <= self.epochs <= MAX_EPOCHS):
            raise LoraDemoError(
                f"epochs is {shorten(self.epochs)}. Choose a whole number from 1 to {MAX_EPOCHS:,}."
            )
        rate = self.learning_rate
        if not (is_number(rate) and 0 < rate <= MAX_LEARNING_RATE):  # refuses NaN, too
            raise LoraDemoError(
                f"learning_rate is {shorten(self.learning_rate)}. Choose a number above 0, at most "
                f"{MAX_LEARNING_RATE:g}; 0.001 is a good start."
            )


@dataclass(frozen=True)
class Recipe:
    title: str
    short_title: str
    colour: str  # of its points on the page, with white figures on it
    reads: Literal["pixels", "trunk", "head_input"]  # the field of `Features` that the update reads
    settings: TrainingSettings = TrainingSettings()
    method: Literal["plain", "guarded"] = "plain"  # a row of `methods.METHODS`
    every_layer: bool = False  # an update for each linear layer; otherwise for the last one
    unit_a: bool = False  # A is standard normal; otherwise its variance is 1/m

    def shapes(self, model: FrozenModel | BaseModel, outputs: int) -> list[tuple[int, int]]:
        """(m, n) of each update: the numbers that it reads, and those that it adds to."""
        if self.reads == "pixels":
            return [(3 * model.input_px**2, outputs)]
        *before, (last, _) = model.linear_shapes
        return [*(before if self.every_layer else ()), (last, outputs)]


RECIPES: dict[Placement, Recipe] = {  # the quickest first
    Placement.GUARDED: Recipe(
        title="Keep old knowledge",
        short_title="Keep old knowledge",
        colour="#15803d",
        reads="head_input",
        settings=TrainingSettings(150, 0.1),
        method="guarded",
    ),
    Placement.HEAD: Recipe(
        title="Plain LoRA on the last layer",
        short_title="Last layer",
        colour="#1d5f9e",
        reads="head_input",
    ),
    Placement.PIXELS: Recipe(
        title="As in the article: LoRA on the raw dots of the picture (pixels)",
        short_title="As in the article",
        colour="#c2410c",
        reads="pixels",
        unit_a=True,
    ),
    Placement.CLASSIFIER: Recipe(
        title="All linear layers",
        short_title="All linear layers",
        colour="#7e22ce",
        reads="trunk",
        settings=TrainingSettings(50, 1e-3),
        every_layer=True,
    ),
}
