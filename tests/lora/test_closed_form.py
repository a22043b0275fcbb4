"""The guarded head's A, and what an adapter costs: against the formulas of the docstrings."""

from dataclasses import replace

import pytest
import torch

from lora_demo import (
    AdapterSpec,
    Features,
    LoraDemoError,
    TrainingSettings,
    adapter_size,
    compare,
    fit,
    leave_one_out,
    train,
)
from lora_demo.backbones.bank import style_features
from lora_demo.backbones.examples import ReadingProgress
from lora_demo.limits import MAX_EPOCHS, MAX_LEARNING_RATE, MAX_STRENGTH
from lora_demo.lora.closed_form import DUPLICATE, Guarded
from lora_demo.lora.evaluation import count_classes_broken
from lora_demo.lora.logistic import TaughtLogits, train_columns
from lora_demo.lora.spec import MINIATURE, check_strength, training_bytes
from lora_demo.lora.strength import guarded_strength

FEW = TrainingSettings(30, 0.01)


def guarded(model, features) -> Guarded:
    return Guarded.of(features, features.logits, model.head.weight, style_features(model))


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


OF_LITE0 = 1280 + 1280 + 3 * 1000 + 3073  # numbers of a picture: trunk, head, logits, miniature
OF_VGG19 = 25_088 + (25_088 + 4096 + 4096) + 3 * 1000 + 3073


@pytest.mark.parametrize(
    ("spec", "numbers"),
    [
        (AdapterSpec("efficientnet_lite0", "head", 10), 3 * 10 * 2280 + 5 * OF_LITE0),
        (AdapterSpec("efficientnet_lite0", "guarded", 2), 3 * 2 * 2280 + 5 * OF_LITE0),
        (
            AdapterSpec("efficientnet_lite0", "head", 1, class_names=("snail", "a word")),
            3 * 2281 + 5 * (OF_LITE0 + 3),
        ),
        (
            AdapterSpec("efficientnet_lite0", "pixels", 10),
            3 * 1_515_280 + (5 + 16) * (OF_LITE0 + 150_528),
        ),
        (AdapterSpec("vgg19", "classifier", 1), 3 * (29_184 + 8192 + 5096) + 5 * OF_VGG19),
    ],
    ids=["head", "guarded", "a new word", "pixels", "classifier"],
)
def test_what_a_training_of_five_pictures_holds_is_known_before_it_begins(spec, numbers):
    assert training_bytes(spec, 5) == 4 * numbers


def test_a_miniature_has_as_many_numbers_as_are_counted_for_it(features):
    assert features.miniature.shape == (5, MINIATURE)


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
    assert guarded_strength(7) == 0.85  # 0.74 + 0.76 / 7


@pytest.mark.parametrize(("apart", "columns"), [(10 * DUPLICATE, 2), (DUPLICATE / 10, 1)])
def test_an_example_has_a_direction_of_its_own_only_if_it_is_no_copy(apart, columns):
    eye = torch.eye(2, dtype=torch.float64)
    solved = torch.stack([eye[0], eye[0] + 2 * apart * eye[1]])  # singular values 1.4 and 1.4 apart
    overlap = solved @ solved.T
    length = solved.square().sum(1)
    labels = torch.zeros(2, dtype=torch.int64)
    examples = Guarded(solved.float(), overlap, overlap, length, labels, torch.ones(2), 1000)

    assert examples.coefficients(torch.ones(2, dtype=torch.bool), 5).shape == (2, columns)


def test_trainings_side_by_side_are_each_as_if_alone(features):
    labels = torch.tensor([1, 1, 1, 2, 2])
    taught = TaughtLogits.of(features.logits, labels)
    responses = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    shown = torch.tensor([[True, False, True, True, True], [True, True, False, False, True]])

    def trained(rows: slice):
        *_, (losses, b) = train_columns(taught, responses[rows], shown[rows], FEW)
        return losses, b

    alone = [trained(slice(row, row + 1)) for row in (0, 1)]
    losses, b = trained(slice(2))
    assert losses.shape == (2,)
    torch.testing.assert_close(losses, torch.cat([alone[0][0], alone[1][0]]))
    torch.testing.assert_close(b, torch.cat([alone[0][1], alone[1][1]]))


def test_pictures_that_are_hidden_together_are_each_asked(model, three_sets):
    """Fifteen in twelve parts: the first three parts have two, of different kinds."""
    mixed = three_sets.pick(torch.arange(15).view(3, 5).T.flatten())
    spec, settings = AdapterSpec(model.name, "head", 4), TrainingSettings(20, 1e-2)
    right = 0
    for hidden in torch.arange(15).tensor_split(12):
        shown = torch.ones(15, dtype=torch.bool).index_fill(0, hidden, False)
        *_, progress = fit(model, mixed.pick(shown), spec, settings)
        asked = mixed.pick(hidden)
        right += int((progress.adapter.logits(asked).argmax(1) == asked.labels).sum())

    *_, result = leave_one_out(model, mixed, spec, settings)

    assert (result.adapted.correct, result.adapted.total) == (right, 15)
    assert 8 < right < 15


def test_more_than_eight_pictures_are_learned_in_shuffled_batches_of_eight(model, three_sets):
    seed = torch.Generator().manual_seed(3)
    a = (torch.randn(1280, 2, generator=seed) * 1280**-0.5).requires_grad_()
    b = torch.zeros(2, 1000, requires_grad=True)
    optimizer, shuffle = torch.optim.Adam([a, b], lr=1e-2), torch.Generator().manual_seed(3)
    losses = []
    for _ in range(3):
        order, total = torch.randperm(15, generator=shuffle), 0.0
        for batch in (order[:8], order[8:]):
            logits = three_sets.logits[batch] + three_sets.head_input[batch] @ a @ b
            loss = torch.nn.functional.cross_entropy(logits, three_sets.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / 15)

    spec = AdapterSpec(model.name, "head", 2, seed=3)
    *_, progress = fit(model, three_sets, spec, TrainingSettings(3, 1e-2))

    assert [point.loss for point in progress.points] == pytest.approx(losses, abs=1e-5)


def test_hidden_together_or_alone_the_base_model_is_asked_the_same(model, three_sets):
    known = replace(three_sets, labels=three_sets.logits.argmax(1))

    *_, result = leave_one_out(model, known, AdapterSpec(model.name, "guarded", 4), FEW)

    assert (result.base.correct, result.base.total) == (15, 15)


def test_the_largest_settings_are_allowed_and_no_larger_ones():
    assert TrainingSettings(MAX_EPOCHS, MAX_LEARNING_RATE)
    check_strength(MAX_STRENGTH)
    check_strength(0)


@pytest.mark.parametrize("strength", [-0.1, MAX_STRENGTH + 0.1, True, "strong", float("nan")])
def test_a_strength_off_the_dial_is_named(strength):
    with pytest.raises(LoraDemoError, match=f"^strength is {strength}. Choose a number from 0 to"):
        check_strength(strength)


@pytest.mark.parametrize(("placement", "numbers"), [("pixels", 150_528), ("guarded", 0)])
def test_a_training_reads_pixels_only_for_the_recipe_that_learns_from_them(
    model, goldfish, placement, numbers
):
    steps = train(model, goldfish, AdapterSpec(model.name, placement, 1), FEW)

    *_, read = (step for step in steps if isinstance(step, ReadingProgress))

    assert read.features.pixels.shape == (5, numbers)
