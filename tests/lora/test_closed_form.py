"""The guarded head's A, and what an adapter costs: against the formulas of the docstrings."""

from dataclasses import replace

import pytest
import torch

from lora_demo import (
    AdapterSpec,
    Features,
    TrainingSettings,
    adapter_size,
    compare,
    fit,
    leave_one_out,
)
from lora_demo.lora.evaluation import count_classes_broken
from lora_demo.lora.guarded import Guarded
from lora_demo.lora.strength import guarded_strength

FEW = TrainingSettings(30, 0.01)


def guarded(model, features) -> Guarded:
    return Guarded.of(features.head_input, model.head.weight, features.logits, features.labels)


def test_the_columns_of_a_are_orthogonal_and_of_one_length(model, features):
    every = torch.ones(5, dtype=torch.bool)
    a = guarded(model, features).directions(every, 5)  # (D, 5)

    gram = a.T @ a
    torch.testing.assert_close(gram / gram[0, 0], torch.eye(5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("rank", [3, 5, 10])
def test_responses_are_x_times_a_and_nothing_in_the_columns_left_over(model, features, rank):
    every, examples = torch.ones(5, dtype=torch.bool), guarded(model, features)

    responses = examples.responses(every, rank).float()

    expected = features.head_input @ examples.directions(every, rank)
    assert responses.shape == (5, rank)
    torch.testing.assert_close(responses[:, : expected.shape[1]], expected, atol=1e-3, rtol=1e-3)
    assert not responses[:, expected.shape[1] :].any()


def test_pictures_of_the_first_answer_respond_with_two_in_the_mean(model, features):
    known = replace(features, labels=features.logits.argmax(1))
    every = torch.ones(5, dtype=torch.bool)

    assert guarded(model, known).responses(every, 5).norm(dim=1).mean() == pytest.approx(2, 1e-6)


@pytest.mark.parametrize(
    ("placement", "trained", "stored"),
    [("pixels", 1_515_280, 1_515_280), ("head", 22_800, 22_800), ("guarded", 6, 22_800)],
)
def test_an_adapter_of_rank_10_costs_what_the_formula_says(model, placement, trained, stored):
    spec = AdapterSpec(model.name, placement, 10, class_names=("goldfish", "snail"))

    size = adapter_size(spec, model, pictures=3)

    assert (size.trainable_parameters, size.stored_parameters) == (trained, stored)
    assert size.base_parameters == model.parameter_count == 4_652_008
    assert size.file_bytes == 4 * stored


def test_kinds_are_counted_at_the_strength_asked_for_and_only_on_the_heads_input(model, features):
    def trained(placement):
        *_, progress = fit(model, features, AdapterSpec(model.name, placement, 4), FEW)
        return progress.adapter

    assert count_classes_broken(model, trained("pixels")) is None
    head = trained("head")
    at_own, off = (count_classes_broken(model, head, strength) for strength in (None, 0))
    assert at_own.changed > 0
    assert (off.changed, off.total) == (0, 1000)


def test_equal_answers_stay_in_the_order_of_the_classes(model):
    nothing = torch.empty(1, 0)
    equal = Features(nothing, nothing, nothing, torch.zeros(1, 1000), nothing)

    names = [prediction.class_name for prediction in compare(model, equal).before]

    assert names == list(model.categories[:5])


def test_of_two_pictures_each_is_hidden(model, features):
    two = features.pick(slice(2))

    results = list(leave_one_out(model, two, AdapterSpec(model.name, "guarded"), FEW))

    assert [(result.fold, result.folds) for result in results] == [(1, 2), (2, 2)]


def test_the_strength_has_two_figures_like_the_dial():
    assert guarded_strength(2, []) == 1.43  # 1.5 * 22 / 23
