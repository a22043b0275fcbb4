"""A of the guarded head in closed form: what sets the examples apart, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.backbones.features import NONE_OF_THESE, FeatureSet
from lora_demo.lora.logistic import FIT_STRENGTH

REACH_NATS = 8.0  # known classes lie up to so far behind the first answer, new words up to 50
DUPLICATE = 1e-4  # relative singular values below are no directions of their own
STYLE_WEIGHT = 0.2  # all of the bank, as a share of the head's classes
FEW = 5  # examples; many show by themselves what differs, and the bank would only take away
CORRECTION_WEIGHT = 37.5  # all of them, in classes, over the root of their number


@dataclass(frozen=True)
class Guarded:
    """Examples with what they share with other things taken out, and how much is left in each pair.

    What captures every picture is the direction that all features share. The head W (n, D) knows
    it: of the rows R of relu(W) at unit length, R'R is large in directions that many classes read.
    What captures pictures in the same style is what the style alone gives; corrections and the
    bank, q, know that: each is one more row, of its weight. So, as a closed-form edit keeps old
    keys by their second moment (ROME, Meng et al. 2022, section 3.1; CorDA, Yang et al. 2024, is a
    relative), A are the leading left singular vectors of S' = (R'R + q'q + mean(diag R'R) I)^-1 x',
    as many as there are different examples. All else happens in the space of the pictures z = (x,
    q): with P for that inverse without q, S is x P - M q P, where M = x P q' (1 + q P q')^-1
    (Woodbury).
    """

    solved: Tensor  # z P (Z, D)
    overlap: Tensor  # z P P z' (Z, Z), float64: it holds the squares of the singular values
    answers: Tensor  # z P z' (Z, Z), float64
    length: Tensor  # (Z,) of z, squared, float64
    labels: Tensor  # (N,) of the first of the Z; after them comes the bank
    reach: Tensor  # (N,) how many times 8 nats the own class is behind
    known: int  # n

    @staticmethod
    @torch.no_grad()
    def of(features: FeatureSet, logits: Tensor, weight: Tensor, styles: Tensor) -> Guarded:
        """Features into the head of `weight` (n, D); logits (N, C); styles (K, D), the bank."""
        rows, mean, factor = _known(weight)
        z = torch.cat([features.head_input, styles])
        solved = (z - torch.cholesky_solve(rows @ z.T, factor).T @ rows) / mean
        doubled, length = solved.double(), z.double().square().sum(1)
        overlap, answers = doubled @ doubled.T, z.double() @ doubled.T
        own = logits.gather(1, features.labels.clamp(min=0)[:, None])[:, 0]
        reach = (logits.amax(1) - own) / REACH_NATS
        return Guarded(solved, overlap, answers, length, features.labels, reach, len(weight))

    def coefficients(self, shown: Tensor, rank: int) -> Tensor:
        """A as sums of the pictures `shown` (N,), a mask, and the bank: A (D, r) = solved.T @ this.

        The responses x A of the examples have the length that Adam needs to get there in its
        steps: 2 in the mean, and more if the own class is far behind.
        """
        x = (shown & (self.labels != NONE_OF_THESE)).nonzero()[:, 0]
        q, weight = self._to_keep(shown)
        inner = self.answers[q][:, q] + weight.reciprocal().diag()
        m = torch.linalg.solve(inner, self.answers[q][:, x]).T  # (X, Q)
        mixed = m @ self.overlap[q]  # (X, Z)
        left = self.overlap[x][:, x] - mixed[:, x] - mixed[:, x].T + mixed[:, q] @ m.T  # S S'
        sizes, vectors = torch.linalg.eigh(left)  # ascending
        own = sizes > DUPLICATE**2 * sizes[-1]  # the others guard nothing
        directions = (vectors[:, own] / sizes[own].sqrt()).flip(1)[:, :rank]
        every = directions.new_zeros(len(self.length), directions.shape[1])
        every[x], every[q] = directions, -m.T @ directions
        length = (self.answers[x] @ every).norm(dim=1).mean()
        reach = self.reach[x].mean().clamp(min=1.0)
        return every * (reach / FIT_STRENGTH / length)

    def _to_keep(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Find q: places in z, and what each weighs at unit length, if a class weighs 1."""
        corrections = (shown & (self.labels == NONE_OF_THESE)).nonzero()[:, 0]
        bank = torch.arange(len(self.labels), len(self.length), device=shown.device)
        examples = self.labels[shown & (self.labels != NONE_OF_THESE)]
        # a single picture does not tell what is style and what is the thing
        styles = STYLE_WEIGHT * (1 - len(examples.unique()) / len(examples))
        styles *= min(FEW / len(examples), 1.0) ** 2
        q = torch.cat([corrections, bank])
        weight = torch.empty_like(self.length[q])
        weight[: len(corrections)] = CORRECTION_WEIGHT / max(len(corrections), 1) ** 1.5
        weight[len(corrections) :] = styles * self.known / max(len(bank), 1)
        return q[weight > 0], (weight / self.length[q])[weight > 0]

    def directions(self, shown: Tensor, rank: int) -> Tensor:
        """A (D, r), made from the pictures shown; r is at most the number of examples."""
        return self.solved.T @ self.coefficients(shown, rank).float()

    def responses(self, shown: Tensor, rank: int) -> Tensor:
        """x A of all pictures, if A is made from those shown: (N, rank)."""
        coefficients = self.coefficients(shown, rank)
        return F.pad(self.answers[: len(shown)] @ coefficients, (0, rank - coefficients.shape[1]))


@cache  # of a frozen model's head: one tensor, that never changes
def _known(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """R (n, D), mean(diag R'R), and the Cholesky factor of (n, n) that stands for P (Woodbury)."""
    rows = F.normalize(weight.relu(), dim=1)
    inner = rows @ rows.T
    mean = inner.diagonal().sum() / rows.shape[1]
    inner.diagonal().add_(mean)
    return rows, mean, torch.linalg.cholesky(inner)
