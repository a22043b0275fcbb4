"""What a training is to be, before there is one: the adapter's spec, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from lora_demo.backbones.models import BASE_MODELS, FrozenModel
from lora_demo.class_names import CATEGORIES, known_words
from lora_demo.errors import LoraDemoError, shorten
from lora_demo.limits import MAX_PICTURES, MAX_RANK, MAX_STRENGTH
from lora_demo.lora.recipes import RECIPES, Placement, Recipe, is_number

BYTES_PER_NUMBER = 4  # float32
MINIATURE = 3 * 32**2 + 1  # numbers of a picture that tell copies from it
BATCH_SIZE = 8  # pictures; up to so many are learned all at once
RANKS = (1, 2, 4, 8, 16, 32)  # that the lab tries
CORRECTIONS = (0, 1, 3, 6)  # and so many pictures of none of these, if there are so many


@dataclass(frozen=True)
class AdapterSpec:
    """All that is needed, beside the pictures, to make the same adapter again."""

    model_name: str
    placement: Placement = Placement.PIXELS
    rank: int = 10
    seed: int = 0
    class_names: tuple[str, ...] = ()  # what it was taught; the base model need not know them
    strength: float | None = None  # at which it answers; None: found while training, else 1
    corrections: int | None = None  # pictures of none of these that teach; None: all that are given

    def __post_init__(self) -> None:
        if self.placement not in list(Placement):  # a list: callers may send what has no hash
            raise LoraDemoError(
                f"placement is “{shorten(self.placement)}”. Choose one of: "
                f"{', '.join(placement.value for placement in Placement)}."
            )
        if not (type(self.rank) is int and 1 <= self.rank <= MAX_RANK):
            raise LoraDemoError(
                f"rank is {shorten(self.rank)}. Choose a whole number from 1 to {MAX_RANK}."
            )
        if not (type(self.seed) is int and 0 <= self.seed < 2**63):
            raise LoraDemoError(
                f"seed is {shorten(self.seed)}. Choose a whole number from 0 to 2^63 - 1."
            )
        names = self.class_names
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise LoraDemoError(
                f"class_names is {shorten(names)}. Give different names, each a piece of text."
            )
        if self.strength is not None:
            check_strength(self.strength)
        if self.corrections is not None and not (
            type(self.corrections) is int and 0 <= self.corrections <= MAX_PICTURES
        ):
            raise LoraDemoError(
                f"corrections is {shorten(self.corrections)}. Choose a whole number from 0 to "
                f"{MAX_PICTURES:,}."
            )
        object.__setattr__(self, "placement", Placement(self.placement))

    @property
    def recipe(self) -> Recipe:
        return RECIPES[self.placement]


def check_strength(strength: float) -> None:
    if not (is_number(strength) and 0 <= strength <= MAX_STRENGTH):  # refuses NaN, too
        raise LoraDemoError(
            f"strength is {shorten(strength)}. Choose a number from 0 to {MAX_STRENGTH:g}."
        )


@dataclass(frozen=True)
class Size:
    """What an adapter costs beside its base model."""

    trainable_parameters: int
    stored_parameters: int  # A and B, trained or not
    base_parameters: int

    @property
    def share(self) -> float:  # of the base model's numbers; above 1 if LoRA is the larger
        return self.trainable_parameters / self.base_parameters

    @property
    def file_bytes(self) -> int:  # of the tensors; a file's header adds less than 1 kB
        return self.stored_parameters * BYTES_PER_NUMBER


def adapter_size(spec: AdapterSpec, model: FrozenModel, pictures: int = MAX_RANK) -> Size:
    """Count r (m + n) numbers an update, A and B.

    `guarded` trains only r a class, and no more than one a picture.
    """
    outputs = len(known_words(spec.class_names, model.categories))
    stored = spec.rank * sum(m + n for m, n in spec.recipe.shapes(model, outputs))
    taught = min(spec.rank, pictures) * max(len(spec.class_names), 1)
    trained = taught if spec.recipe.method == "guarded" else stored
    return Size(trained, stored, model.parameter_count)


def training_bytes(spec: AdapterSpec, pictures: int) -> int:
    """Estimate what a training holds between two steps, from above, before anything is loaded.

    A and B with Adam's two moments, and what the network made of each picture that is read, the
    logits with the new words, and the probabilities to be learned. Of up to eight pictures the
    pixels are there three times (`training.train_epochs`).
    """
    model = BASE_MODELS[spec.model_name]
    outputs = len(known_words(spec.class_names, CATEGORIES))
    trained = spec.rank * sum(m + n for m, n in spec.recipe.shapes(model, outputs))
    read = [model.linear_shapes[0][0], *(m for m, _ in model.linear_shapes)]  # the trunk's, too
    picture = sum(read) + 3 * outputs + MINIATURE
    if spec.recipe.reads == "pixels":
        picture += 3 * model.input_px**2
        pictures += 2 * BATCH_SIZE
    return BYTES_PER_NUMBER * (3 * trained + picture * pictures)
