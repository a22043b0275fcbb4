"""All LoRA maths: the low-rank update, where it is placed, and how many numbers it has."""

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from lora_demo.backbones import FrozenModel
from lora_demo.errors import LoraDemoError, brief
from lora_demo.features import Features, FeatureSet
from lora_demo.guard import guard_gain, guarded_directions

MAX_RANK = 64
MAX_STRENGTH = 2.0
BYTES_PER_NUMBER = 4  # float32


class Placement(str, Enum):
    """What the low-rank update reads; either way it adds to the base model's logits."""

    PIXELS = "pixels"  # the normalised pixels: the article's LoRA
    HEAD = "head"  # the input of the last linear layer: what PEFT does with that layer
    GUARDED = "guarded"  # the same input, less what all classes share: keeps old knowledge


@dataclass(frozen=True)
class AdapterSpec:
    """All that is needed, beside the pictures, to make the same adapter again."""

    model_name: str
    placement: Placement = Placement.PIXELS
    rank: int = 10
    seed: int = 0
    class_names: tuple[str, ...] = ()  # what it was taught

    def __post_init__(self) -> None:
        if self.placement not in list(Placement):  # a list: callers may send what has no hash
            raise LoraDemoError(
                f"placement is “{brief(self.placement)}”. Choose one of: "
                f"{', '.join(placement.value for placement in Placement)}."
            )
        if not (type(self.rank) is int and 1 <= self.rank <= MAX_RANK):
            raise LoraDemoError(
                f"rank is {brief(self.rank)}. Choose a whole number from 1 to {MAX_RANK}."
            )
        if not (type(self.seed) is int and 0 <= self.seed < 2**63):
            raise LoraDemoError(
                f"seed is {brief(self.seed)}. Choose a whole number from 0 to 2^63 - 1."
            )
        names = self.class_names
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise LoraDemoError("class_names holds something else than different names.")
        object.__setattr__(self, "placement", Placement(self.placement))


class Lora(nn.Module):
    """A low-rank update of one frozen linear map: delta(x) = x A B.

    A (m, r) normal with standard deviation `a_std`, B (r, n) zero, so a new adapter changes no
    logit. In PEFT's names lora_A.weight = A.T and lora_B.weight = B.T. Hu et al. 2021, section 4.1.
    """

    def __init__(self, m: int, n: int, rank: int, a_std: float, generator: torch.Generator):
        super().__init__()
        self.A = nn.Parameter(torch.randn(m, rank, generator=generator) * a_std)
        self.B = nn.Parameter(torch.zeros(rank, n))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.A) @ self.B  # (N, m) -> (N, n)


class Adapter(nn.Module):
    """A `Lora` at its place on a base model: it adds to the logits and never touches the model."""

    def __init__(self, spec: AdapterSpec, lora: Lora):
        super().__init__()
        self.spec = spec
        self.lora = lora
        self.fit_strength = 1.0  # at which it is fitted; it answers at 1
        self.trained_columns = torch.ones(lora.B.shape[1])  # (n,) 0 where B is to stay zero

    def inputs(self, features: Features) -> Tensor:
        """What the update reads: (N, m)."""
        return features.pixels if self.spec.placement is Placement.PIXELS else features.trunk

    def logits(self, features: Features, strength: float = 1.0) -> Tensor:
        """base logits + strength * delta: (N, C). At strength 0 the base model's, bit for bit."""
        return features.logits + strength * self.lora(self.inputs(features))


def new_adapter(
    spec: AdapterSpec, model: FrozenModel, features: FeatureSet | None = None
) -> Adapter:
    """An untrained adapter; equal seeds give equal numbers.

    A is standard normal on the pixels, as in the article, and normal with variance 1/m on the
    features, so that x A keeps the size of x. `guarded` makes A from `features`, the examples;
    without them A is zero, to be loaded.
    """
    m, n = lora_shape(spec.placement, model)
    generator = torch.Generator().manual_seed(spec.seed)
    a_std = 1.0 if spec.placement is Placement.PIXELS else m**-0.5
    adapter = Adapter(spec, Lora(m, n, spec.rank, a_std, generator))
    if spec.placement is Placement.GUARDED:
        adapter.lora.A = nn.Parameter(torch.zeros(m, spec.rank), requires_grad=False)
        if features:
            gain = guard_gain(features.labels)
            directions = guarded_directions(features.trunk, model.head.weight, spec.rank)
            adapter.lora.A[:, : directions.shape[1]] = gain * directions
            adapter.fit_strength = 1 / gain
            adapter.trained_columns = torch.zeros(n).index_fill(0, features.labels, 1.0)
    return adapter


def lora_shape(placement: Placement, model: FrozenModel) -> tuple[int, int]:
    """(m, n): the numbers that the update reads, and the logits that it adds to."""
    pixels = 3 * model.input_px**2
    m = pixels if placement is Placement.PIXELS else model.head.in_features
    return m, model.head.out_features


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


def adapter_size(placement: Placement, rank: int, model: FrozenModel, classes: int = 1) -> Size:
    """r (m + n) numbers, A and B; `guarded` trains r of them a class."""
    stored = rank * sum(lora_shape(placement, model))
    trained = rank * classes if placement is Placement.GUARDED else stored
    return Size(trained, stored, model.parameter_count)
