"""The honest test: what is hidden is never learned from, and the score is counted truly."""

import pytest
import torch

from lora_demo import AdapterSpec, Placement, TrainingSettings, fit, leave_one_out
from lora_demo.features import FeatureSet


def repeated(features: FeatureSet, times: int) -> FeatureSet:
    return FeatureSet(*(torch.cat([tensor] * times) for tensor in vars(features).values()))


@pytest.mark.parametrize("placement", Placement)
def test_the_score_is_that_of_single_trainings(model, features, placement):
    spec, settings = AdapterSpec(model.name, placement, 4), TrainingSettings(20, 0.01)
    *_, held_back = leave_one_out(model, features, spec, settings)

    right = 0
    for hidden in range(5):
        shown = [i for i in range(5) if i != hidden]
        *_, progress = fit(model, features.pick(torch.tensor(shown)), spec, settings)
        right += progress.adapter.logits(features)[hidden].argmax() == features.labels[hidden]

    assert (held_back.fold, held_back.folds) == (5, 5)
    assert str(held_back.adapted) == f"{right} of 5"
    assert str(held_back.base) == "0 of 5"


def test_with_many_pictures_several_are_hidden_at_once(model, features):
    spec = AdapterSpec(model.name, Placement.HEAD, 1)
    results = list(leave_one_out(model, repeated(features, 5), spec, TrainingSettings(1)))

    assert [result.fold for result in results] == list(range(1, 13))
    assert results[-1].adapted.total == 25


def test_of_one_picture_nothing_can_be_hidden(model, features):
    one = features.pick(slice(1))

    assert list(leave_one_out(model, one, AdapterSpec(model.name))) == []
