"""Answer in closed form, from means of classes or by regression, with photos of other things."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lora_demo import FeatureSet, FrozenModel
from lora_demo.backbones.features import NONE_OF_THESE, Features
from tests.benchmarks.peers import SURE, Answer

RIDGE = 1.0  # 0.5 % of a picture's squared length; from 0.01 to 10 it made no difference


def answer_by_nearest_mean(model: FrozenModel, learned: FeatureSet, photos: Features) -> Answer:
    """Add the taught classes to a head that is read as one of nearest class means.

    With one variance v for all directions a row of the head less the mean row is (mean of its
    class - mean of all) / v. The v that brings the photos closest to the means of their classes,
    by their first answers, fits best.
    """
    rows = model.head.weight - model.head.weight.mean(0)
    own = rows[photos.logits.argmax(1)]
    centred = photos.head_input - photos.head_input.mean(0)
    variance = (centred * own).sum() / (own * own).sum()
    return _add_means(model, learned, photos, variance * torch.eye(rows.shape[1]))


def answer_by_discriminant(model: FrozenModel, learned: FeatureSet, photos: Features) -> Answer:
    """Do the same as a linear discriminant does, with the covariance of the photos.

    They are fewer than the features, so it is shrunk as Ledoit & Wolf 2004 derive it.
    """
    x = photos.head_input - photos.head_input.mean(0)
    covariance = x.T @ x / len(x)
    scale = covariance.diagonal().mean()
    sphere = scale * torch.eye(len(covariance))
    error = (x.square().sum(1).square().mean() - covariance.square().sum()) / len(x)
    share = (error / (covariance - sphere).square().sum()).clamp(max=1)
    return _add_means(model, learned, photos, share * sphere + (1 - share) * covariance)


@torch.no_grad()
def _add_means(
    model: FrozenModel, learned: FeatureSet, photos: Features, covariance: Tensor
) -> Answer:
    """Let a taught class answer by its old row or by the mean of its examples.

    Of classes with means m (from the mean of all) and one covariance S a logit is
    m' S^-1 x - m' S^-1 m / 2, so the head's rows r, less the mean row, are S^-1 m, and on its
    scale a new logit is the mean logit + the mean of r' S r / 2 + that. Corrections have a mean
    of their own; where it is nearer than the taught class's, the base model's answer stands.
    """
    centre = photos.head_input.mean(0)
    classes = learned.labels.unique()  # ascending: corrections come first
    x = learned.head_input - centre
    means = torch.stack([x[learned.labels == c].mean(0) for c in classes])
    directions = torch.linalg.solve(covariance, means.T)  # (D, k)
    rows = model.head.weight - model.head.weight.mean(0)
    level = ((rows @ covariance) * rows).sum(1).mean() / 2 - (means.T * directions).sum(0) / 2
    corrected = int(classes[0] == NONE_OF_THESE)

    def answer(features: Features) -> Tensor:
        logits = features.logits.clone()
        new = logits.mean(1, keepdim=True) + level + (features.head_input - centre) @ directions
        if corrected:
            new = torch.where(new > new[:, :1], new, -torch.inf)
        taught = classes[corrected:]
        logits[:, taught] = torch.maximum(logits[:, taught], new[:, corrected:])
        return logits

    return answer


def answer_by_ridge(model: FrozenModel, learned: FeatureSet, photos: Features) -> Answer:
    """Add to the head the ridge regression of what is missing in the logits.

    What RanPAC (McDonnell et al. 2023, arXiv 2307.02251) does without its random features,
    (X'X + ridge)^-1 X'Y, but Y is what an example lacks until its class is sure, and 0 for
    corrections and photos: a head fitted to the few photos would not know most of the classes.
    """
    x = torch.cat([learned.head_input, photos.head_input]).double()
    shows = torch.nonzero(learned.is_example)[:, 0]
    labels = learned.labels[shows]
    logits = learned.logits[shows].double()
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    missing = x.new_zeros(len(x), logits.shape[1])
    missing[shows, labels] = (others + math.log(SURE / (1 - SURE)) - own).clamp(min=0)
    update = x.T @ torch.linalg.solve(x @ x.T + RIDGE * torch.eye(len(x)), missing)
    return lambda features: features.logits + features.head_input @ update.float()
