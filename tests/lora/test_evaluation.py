"""What a comparison says: probabilities that are some, of the picture and network it says."""

import math

import pytest

from lora_demo import AdapterSpec, Placement, TrainingSettings, compare, fit


@pytest.fixture(scope="module", params=[(), ("my mug",)], ids=["1,000 classes", "and a new word"])
def comparison(request, model, features):
    """Of one picture; every class counts as taught, so that all have their probability told."""
    names = (*model.categories, *request.param)
    spec = AdapterSpec(model.name, Placement.HEAD, 2, class_names=names)
    *_, progress = fit(model, features, spec, TrainingSettings(5, 0.01))
    one = features.pick(slice(1))
    logits = [progress.adapter.base_logits(one), progress.adapter.logits(one)]
    return compare(model, one, progress.adapter), [row[0].tolist() for row in logits]


@pytest.mark.parametrize("side", ["before", "after"])
def test_probabilities_are_the_softmax_of_the_logits_and_sum_to_one(comparison, side):
    told, (before, after) = comparison
    logits = {"before": before, "after": after}[side]

    found = [getattr(change, side) for change in told.taught]

    total = sum(math.exp(logit) for logit in logits)
    expected = [math.exp(logit) / total for logit in logits]
    assert sum(p.probability for p in found) == pytest.approx(1, abs=1e-5)
    assert [p.probability for p in found] == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert sorted(p.rank for p in found) == list(range(1, len(logits) + 1))
    best = sorted(found, key=lambda p: p.rank)[:5]
    assert list(getattr(told, side)) == best
