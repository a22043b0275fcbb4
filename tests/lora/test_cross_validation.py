"""The honest test: what is hidden is never learned from, and the score is counted truly."""

from dataclasses import replace

import pytest
import torch
from cachetools import LRUCache

from lora_demo import (
    AdapterSpec,
    Placement,
    TrainingSettings,
    fit,
    leave_one_out,
    read_class_folder,
    read_examples,
    read_feature_set,
)
from lora_demo.backbones import features as features_room
from lora_demo.backbones.features import FeatureSet
from lora_demo.lora import closed_form
from lora_demo.lora.strength import Asked, guarded_strength
from tests.conftest import DATA

PIXELS_TAKE_LONG = pytest.param(Placement.PIXELS, marks=pytest.mark.slow)
PLACEMENTS = [p if p is not Placement.PIXELS else PIXELS_TAKE_LONG for p in Placement]
CLASSES = ("goldfish", "snail", "teapot")


def repeated(features: FeatureSet, times: int) -> FeatureSet:
    return FeatureSet(*(torch.cat([tensor] * times) for tensor in vars(features).values()))


def needed(adapter, features: FeatureSet) -> torch.Tensor:
    delta = adapter.delta(adapter.inputs(features), 1.0)
    asked = Asked(adapter.base_logits(features), delta.detach(), features.labels)
    return asked.recognised_between()[:, 0]


def without(features: FeatureSet, hidden: int) -> FeatureSet:
    return features.pick(torch.tensor([i for i in range(len(features.labels)) if i != hidden]))


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_score_is_that_of_single_trainings(model, features, placement):
    spec, settings = AdapterSpec(model.name, placement, 4), TrainingSettings(40, 0.02)
    *_, held_back = leave_one_out(model, features, spec, settings)

    right = 0
    for hidden in range(5):
        *_, progress = fit(model, without(features, hidden), spec, settings)
        logits = progress.adapter.logits(features, held_back.strength)[hidden]
        right += logits.argmax() == features.labels[hidden]

    assert (held_back.fold, held_back.folds) == (5, 5)
    assert str(held_back.adapted) == f"{right} of 5"
    assert str(held_back.base) == "0 of 5"


@pytest.mark.parametrize("each", [2, 5])
def test_several_classes_are_scored_at_the_strength_that_is_set(model, each):
    """A stronger LoRA of one class can take a picture away from another."""
    sets = [read_class_folder(DATA / name, model.categories)[:each] for name in CLASSES]
    features = read_feature_set(model, [picture for pictures in sets for picture in pictures])
    spec = AdapterSpec(model.name, Placement.GUARDED, class_names=CLASSES)
    *_, held_back = leave_one_out(model, features, spec)

    right = 0
    for hidden in torch.arange(3 * each).tensor_split(held_back.folds):
        shown = torch.ones(3 * each, dtype=torch.bool)
        shown[hidden] = False
        *_, progress = fit(model, features.pick(shown), spec)
        answers = progress.adapter.logits(features.pick(~shown), held_back.strength).argmax(1)
        right += (answers == features.pick(~shown).labels).sum().item()

    assert str(held_back.adapted) == f"{right} of {3 * each}"


def test_a_label_that_is_overtaken_again_needs_a_strength_without_end(model, features):
    *_, progress = fit(model, features, AdapterSpec(model.name, Placement.GUARDED))
    adapter, other = progress.adapter, features.pick(slice(1))
    first = other.logits.argmax(1)
    already_right = replace(other, labels=first)

    assert needed(adapter, already_right).item() == 0
    with torch.no_grad():
        adapter.lora.B[:, 2] = 2 * adapter.lora.B[:, 1]  # a shark gains twice as much
    assert needed(adapter, other).item() == float("inf")


def test_the_strength_of_guarded_is_set_by_what_the_hidden_pictures_needed(model, features):
    spec = AdapterSpec(model.name, Placement.GUARDED)
    *_, held_back = leave_one_out(model, features, spec)

    strengths = []
    for hidden in range(5):
        *_, progress = fit(model, without(features, hidden), spec)
        strengths += needed(progress.adapter, features.pick(slice(hidden, hidden + 1)))

    assert held_back.strength == guarded_strength(5, torch.tensor(strengths))


@pytest.mark.parametrize("placement", [Placement.GUARDED, Placement.HEAD, Placement.PIXELS])
def test_a_picture_gets_its_label_from_the_needed_strength_on(model, features, placement):
    *_, progress = fit(model, features, AdapterSpec(model.name, placement))

    for row, strength in enumerate(needed(progress.adapter, features).tolist()):
        answers = [
            progress.adapter.logits(features, factor * strength)[row].argmax()
            for factor in (0.99, 1.01)
        ]
        assert 0 < strength < 2
        assert (answers[0] == 1, answers[1] == 1) == (False, True)


def test_a_strength_that_was_asked_for_stays(model, features):
    spec = AdapterSpec(model.name, Placement.GUARDED, strength=0.1)
    *_, progress = fit(model, features, spec)
    *_, held_back = leave_one_out(model, features, spec)

    assert progress.adapter.strength == held_back.strength == 0.1
    assert str(held_back.adapted) == "0 of 5"


def test_with_many_pictures_several_are_hidden_at_once(model, features):
    spec = AdapterSpec(model.name, Placement.HEAD, 1)
    results = list(leave_one_out(model, repeated(features, 5), spec, TrainingSettings(1)))

    assert [result.fold for result in results] == list(range(1, 13))
    assert results[-1].adapted.total == 25


def test_of_one_picture_nothing_can_be_hidden(model, features):
    one = features.pick(slice(1))

    assert list(leave_one_out(model, one, AdapterSpec(model.name))) == []


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_no_cache_changes_a_result(model, goldfish, placement, monkeypatch):
    def learn():
        *_, reading = read_examples(model, goldfish)
        *_, progress = fit(model, reading.features, spec, settings)
        *_, held_back = leave_one_out(model, reading.features, spec, settings)
        return progress.adapter.state_dict(), [p.loss for p in progress.points], held_back

    spec, settings = AdapterSpec(model.name, placement, 4), TrainingSettings(20, 0.02)
    learn()
    warm_tensors, *warm = learn()

    for memory in ("_features", "_pixels"):
        monkeypatch.setattr(features_room, memory, LRUCache(1000))
    closed_form._known.cache_clear()
    cold_tensors, *cold = learn()

    assert warm == cold
    assert all(torch.equal(cold_tensors[name], tensor) for name, tensor in warm_tensors.items())
