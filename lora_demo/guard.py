"""The guarded head in closed form: where examples answer and what is known already does not."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


@torch.no_grad()
def guarded_directions(x: Tensor, weight: Tensor, rank: int) -> Tensor:
    """Directions in which the examples x (N, D) answer and the classes of weight (n, D) do not.

    What captures every picture is the direction that all features share. The head knows it:
    C = W'W / n, of the rows of relu(W) at unit length, is large in directions that many classes
    read. So, as a closed-form edit keeps old keys by their second moment (ROME, Meng et al. 2022,
    section 3.1; CorDA, Yang et al. 2024, is a relative), A = the leading left singular vectors of
    (C + mean(diag C) I)^-1 x', at most N of them: (D, min(rank, N)), scaled so that the examples'
    responses x A have a mean length of 1.
    """
    rows = F.normalize(weight.relu(), dim=1)  # (n, D)
    second_moment = rows.T @ rows / len(rows)  # (D, D)
    second_moment.diagonal().add_(second_moment.diagonal().mean())
    directions, _, _ = torch.linalg.svd(torch.linalg.solve(second_moment, x.T), full_matrices=False)
    directions = directions[:, :rank]
    return directions / (x @ directions).norm(dim=1).mean()


def guard_gain(labels: Tensor) -> float:
    """How much stronger than it was fitted a guarded adapter answers at strength 1.

    3 - ln(n) / 2, at least 1, for n of the labels (N,) a class: the fewer examples there are, the
    further from them the next picture lies. Found by `tests/benchmarks/quality.py`: 3 is needed
    at 1, 2 to 2.5 at 5, and 1.25 to 1.75 at 20.
    """
    examples = len(labels) / len(labels.unique())
    return max(1.0, 3 - 0.5 * math.log(examples))
