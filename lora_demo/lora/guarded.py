"""The guarded head in closed form: where examples answer and what is known already does not."""

from dataclasses import dataclass
from functools import cache
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.limits import MAX_STRENGTH

FIT_STRENGTH = 0.5  # fitted at less than 1, so that pictures it has not seen are answered, too
REACH_NATS = 8.0  # known classes lie up to so far behind the first answer, new words up to 50
MIN_STRENGTH = 0.5  # of the automatic one, which stays within the dial
DUPLICATE = 1e-4  # relative singular values below are no directions of their own


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
    def of(x: Tensor, weight: Tensor, logits: Tensor, labels: Tensor) -> "Guarded":
        """x (N, D) into the head of `weight` (n, D); logits (N, C), labels (N,)."""
        known, factor = _known(weight)
        solved = x - torch.cholesky_solve(known @ x.T, factor).T @ known
        behind = logits.amax(1) - logits.gather(1, labels[:, None])[:, 0]  # nats
        doubled = solved.double()
        return Guarded(solved, doubled @ doubled.T, x.double() @ doubled.T, behind / REACH_NATS)

    def coefficients(self, shown: Tensor, rank: int) -> Tensor:
        """A as sums of the examples `shown` (N,), a mask: A (D, r) = solved[shown].T @ this.

        The responses x A of those examples have the length that Adam needs to get there in its
        steps: 2 in the mean, and more where the own class is far behind.
        """
        sizes, vectors = torch.linalg.eigh(self.overlap[shown][:, shown])  # ascending
        own = sizes > DUPLICATE**2 * sizes[-1]  # the others guard nothing
        directions = (vectors[:, own] / sizes[own].sqrt()).flip(1)[:, :rank]
        length = (self.answers[shown][:, shown] @ directions).norm(dim=1).mean()
        reach = self.reach[shown].mean().clamp(min=1.0)
        return directions * (reach / FIT_STRENGTH / length)

    def directions(self, shown: Tensor, rank: int) -> Tensor:
        return self.solved[shown].T @ self.coefficients(shown, rank).float()  # A: (D, r)

    def responses(self, shown: Tensor, rank: int) -> Tensor:
        """x A of all examples, where A is made from those shown: (N, rank)."""
        coefficients = self.coefficients(shown, rank)
        return F.pad(self.answers[:, shown] @ coefficients, (0, rank - coefficients.shape[1]))


@cache  # of a frozen model's head: one tensor, that never changes
def _known(weight: Tensor) -> tuple[Tensor, Tensor]:
    """R (n, D), and the Cholesky factor of the (n, n) matrix that stands for C (Woodbury)."""
    rows = F.normalize(weight.relu(), dim=1)
    inner = rows @ rows.T
    inner.diagonal().add_(inner.diagonal().sum() / rows.shape[1])
    return rows, torch.linalg.cholesky(inner)


def guarded_strength(examples: float, needed: list[float]) -> float:
    """How strongly an adapter that was fitted at half strength answers by itself: 0.5 to 2.

    The fewer examples of a class there are, the further from them the next picture lies: 1.5 for
    one, half of that for 23. Beside this stands what leave-one-out found, the strengths at which
    the hidden pictures were recognised: 3.3 times their median reaches nearly all, and a median
    above 0.4 says more of odd ones among the examples than of the next picture. The result is the
    geometric mean of both, in which n hidden pictures weigh n / (n + 20); a median below 0.1
    counts as 0.1. Measured with
    `tests/benchmarks/quality.py`; rules that follow the hidden pictures closer learn no more and
    break more.
    """
    strength = 1.5 * 22 / (21 + examples)
    if needed:
        by_test = 3.3 * min(max(median(needed), 0.1), 0.4)
        share = len(needed) / (len(needed) + 20)
        strength = strength ** (1 - share) * by_test**share
    return round(min(max(strength, MIN_STRENGTH), MAX_STRENGTH), 2)  # as the dial shows it
