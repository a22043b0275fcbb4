"""The guarded head: A in closed form, so that only what sets the examples apart is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.backbones.features import FeatureSet
from lora_demo.backbones.models import FrozenModel
from lora_demo.lora.adapter import NEW_WORD_LOGIT, Adapter, Lora, pad_logits
from lora_demo.lora.logistic import FIT_STRENGTH, TaughtLogits, train_columns
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec
from lora_demo.lora.strength import guarded_strength, needed_strengths

REACH_NATS = 8.0  # known classes lie up to so far behind the first answer, new words up to 50
DUPLICATE = 1e-4  # relative singular values below are no directions of their own
PICTURES_AT_ONCE = 500  # in trainings that go side by side; more would be a long silence


@dataclass(frozen=True)
class Guarded:
    """Examples with what all classes share taken out, and how much of it is left in each pair.

    What captures every picture is the direction that all features share. The head W (n, D) knows
    it: C = R'R / n, of the rows R of relu(W) at unit length, is large in directions that many
    classes read. So, as a closed-form edit keeps old keys by their second moment (ROME, Meng et
    al. 2022, section 3.1; CorDA, Yang et al. 2024, is a relative), A are the leading left singular
    vectors of S' = (C + mean(diag C) I)^-1 x', as many as there are different examples. All else
    happens in the space of the pictures: those vectors are S' times the eigenvectors of S S'.
    """

    solved: Tensor  # S (N, D), but for a factor
    overlap: Tensor  # S S' (N, N), float64: it holds the squares of the singular values
    answers: Tensor  # x S' (N, N), float64
    reach: Tensor  # (N,) how many times 8 nats the own class is behind

    @staticmethod
    @torch.no_grad()
    def of(x: Tensor, weight: Tensor, logits: Tensor, labels: Tensor) -> Guarded:
        """x (N, D) into the head of `weight` (n, D); logits (N, C), labels (N,)."""
        known, factor = _known(weight)
        solved = x - torch.cholesky_solve(known @ x.T, factor).T @ known
        behind = logits.amax(1) - logits.gather(1, labels[:, None])[:, 0]  # nats
        doubled = solved.double()
        return Guarded(solved, doubled @ doubled.T, x.double() @ doubled.T, behind / REACH_NATS)

    def coefficients(self, shown: Tensor, rank: int) -> Tensor:
        """A as sums of the examples `shown` (N,), a mask: A (D, r) = solved[shown].T @ this.

        The responses x A of those examples have the length that Adam needs to get there in its
        steps: 2 in the mean, and more if the own class is far behind.
        """
        sizes, vectors = torch.linalg.eigh(self.overlap[shown][:, shown])  # ascending
        own = sizes > DUPLICATE**2 * sizes[-1]  # the others guard nothing
        directions = (vectors[:, own] / sizes[own].sqrt()).flip(1)[:, :rank]
        length = (self.answers[shown][:, shown] @ directions).norm(dim=1).mean()
        reach = self.reach[shown].mean().clamp(min=1.0)
        return directions * (reach / FIT_STRENGTH / length)

    def directions(self, shown: Tensor, rank: int) -> Tensor:
        """A (D, r), made from the examples shown; r is at most their number."""
        return self.solved[shown].T @ self.coefficients(shown, rank).float()

    def responses(self, shown: Tensor, rank: int) -> Tensor:
        """x A of all examples, if A is made from those shown: (N, rank)."""
        coefficients = self.coefficients(shown, rank)
        return F.pad(self.answers[:, shown] @ coefficients, (0, rank - coefficients.shape[1]))


def make_loras(
    spec: AdapterSpec, model: FrozenModel, outputs: int, features: FeatureSet | None = None
) -> list[Lora]:
    """Work A out from the examples; it stays. Without examples it is zero, to be loaded."""
    [(m, n)] = spec.recipe.shapes(model, outputs)
    a = torch.zeros(m, spec.rank)
    if features is not None:
        every = torch.ones_like(features.labels, dtype=torch.bool)
        directions = _guard(features, model, outputs).directions(every, spec.rank)
        a = F.pad(directions, (0, spec.rank - directions.shape[1]))
    lora = Lora(a, n)
    lora.A.requires_grad_(False)
    return [lora]


def train_epochs(
    adapter: Adapter, features: FeatureSet, shown: Tensor, settings: TrainingSettings
) -> Iterator[float]:
    """Train B as `training.train_epochs` does, but with all pictures at once."""
    responses = adapter.inputs(features) @ adapter.lora.A  # (N, r)
    taught = TaughtLogits.of(adapter.base_logits(features)[shown], features.labels[shown])
    learned, everything = adapter.lora.B.detach(), responses.new_ones(1, len(shown))
    for losses, b in train_columns(taught, responses[shown][None], everything, settings):
        learned[:, taught.classes] = b[0]
        yield losses.item()


@torch.no_grad()
def score_folds(
    make: Callable[[], Adapter],
    features: FeatureSet,
    settings: TrainingSettings,
    folds: Sequence[Tensor],
) -> Iterator[tuple[int, float]]:
    """Do as `training.score_folds` does, with several trainings at once: they need few logits."""
    adapter = make()
    spec, outputs = adapter.spec, len(adapter.categories)
    examples = _guard(features, adapter.model, outputs)
    taught = TaughtLogits.of(adapter.base_logits(features), features.labels)
    base = torch.cat([taught.own, taught.others.amax(1, keepdim=True)], 1)  # (N, k + 1)
    delta = torch.zeros_like(base)  # the others stay
    every, strength = torch.cat(list(folds)), adapter.strength
    at_once = max(1, PICTURES_AT_ONCE // len(base))
    for group in (folds[first : first + at_once] for first in range(0, len(folds), at_once)):
        shown = torch.stack([~torch.isin(every, hidden) for hidden in group])  # (F, N)
        responses = torch.stack([examples.responses(row, spec.rank) for row in shown]).float()
        *_, (_, trained) = train_columns(taught, responses, shown, settings)
        for hidden, x, b in zip(group, responses, trained, strict=True):
            delta[hidden, :-1] = x[hidden] @ b
            asked = slice(int(hidden[-1]) + 1)  # so far
            so_far = base[asked], delta[asked], taught.labels[asked]
            if spec.strength is None:
                strength = first_strength(features, needed_strengths(*so_far).tolist())
            answered = (so_far[0] + strength * so_far[1]).argmax(1)
            yield int((answered == so_far[2]).sum()), strength


def first_strength(features: FeatureSet, needed: Sequence[float] = ()) -> float:
    return guarded_strength(features.pictures_per_class, list(needed))


def _guard(features: FeatureSet, model: FrozenModel, outputs: int) -> Guarded:
    logits = pad_logits(features.logits, outputs, NEW_WORD_LOGIT)
    return Guarded.of(features.head_input, model.head.weight, logits, features.labels)


@cache  # of a frozen model's head: one tensor, that never changes
def _known(weight: Tensor) -> tuple[Tensor, Tensor]:
    """R (n, D), and the Cholesky factor of the (n, n) matrix that stands for C (Woodbury)."""
    rows = F.normalize(weight.relu(), dim=1)
    inner = rows @ rows.T
    inner.diagonal().add_(inner.diagonal().sum() / rows.shape[1])
    return rows, torch.linalg.cholesky(inner)
