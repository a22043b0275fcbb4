"""What a training is to be, before there is one: recipe, settings, shapes and size."""

from dataclasses import dataclass
from enum import Enum

from lora_demo.backbones.models import FrozenModel
from lora_demo.class_names import known_words
from lora_demo.errors import LoraDemoError, shorten
from lora_demo.limits import MAX_EPOCHS, MAX_LEARNING_RATE, MAX_RANK, MAX_STRENGTH

BYTES_PER_NUMBER = 4  # float32
RANKS = (1, 2, 4, 8, 16, 32)  # that the lab tries


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Placement(str, Enum):
    """What the low-rank update reads; it adds to the base model's logits."""

    PIXELS = "pixels"  # the normalised pixels: the article's LoRA
    HEAD = "head"  # the input of the last linear layer: what PEFT does with that layer
    GUARDED = "guarded"  # the same input, less what all classes share: keeps old knowledge
    CLASSIFIER = "classifier"  # the input of every linear layer, with an update for each


@dataclass(frozen=True)
class AdapterSpec:
    """All that is needed, beside the pictures, to make the same adapter again."""

    model_name: str
    placement: Placement = Placement.PIXELS
    rank: int = 10
    seed: int = 0
    class_names: tuple[str, ...] = ()  # what it was taught; the base model need not know them
    strength: float | None = None  # at which it answers; None: found while training, else 1

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
        object.__setattr__(self, "placement", Placement(self.placement))


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


DEFAULT_SETTINGS = {
    Placement.PIXELS: TrainingSettings(),
    Placement.HEAD: TrainingSettings(),
    Placement.GUARDED: TrainingSettings(150, 0.1),
    Placement.CLASSIFIER: TrainingSettings(50, 1e-3),
}


def check_strength(strength: float) -> None:
    if not (is_number(strength) and 0 <= strength <= MAX_STRENGTH):  # refuses NaN, too
        raise LoraDemoError(
            f"strength is {shorten(strength)}. Choose a number from 0 to {MAX_STRENGTH:g}."
        )


def lora_shapes(placement: Placement, model: FrozenModel, outputs: int) -> list[tuple[int, int]]:
    """(m, n) of each update: the numbers that it reads, and those that it adds to."""
    if placement is Placement.PIXELS:
        return [(3 * model.input_px**2, outputs)]
    *before, (last, _) = model.linear_shapes
    return [*(before if placement is Placement.CLASSIFIER else ()), (last, outputs)]


@dataclass(frozen=True)
class Size:
    """What an adapter costs beside its base model."""

    trainable_parameters: int
    stored_parameters: int  # A and B, trained or not
    base_parameters: int

    @property
    def share(self) -> float:  # of the base model's numbers; above 1 where LoRA is the larger
        return self.trainable_parameters / self.base_parameters

    @property
    def file_bytes(self) -> int:  # of the tensors; a file's header adds less than 1 kB
        return self.stored_parameters * BYTES_PER_NUMBER


def adapter_size(spec: AdapterSpec, model: FrozenModel, pictures: int = MAX_RANK) -> Size:
    """r (m + n) numbers an update, A and B; `guarded` trains r a class, at most one a picture."""
    outputs = len(known_words(spec.class_names, model.categories))
    shapes = lora_shapes(spec.placement, model, outputs)
    stored = spec.rank * sum(m + n for m, n in shapes)
    guarded = spec.placement is Placement.GUARDED
    trained = min(spec.rank, pictures) * max(len(spec.class_names), 1) if guarded else stored
    return Size(trained, stored, model.parameter_count)
