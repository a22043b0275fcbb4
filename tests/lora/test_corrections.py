"""Corrections, pictures of none of the taught classes, teach every recipe what to leave alone."""

import csv
import math
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo import (
    AdapterSpec,
    FeatureSet,
    LabelledImage,
    LoraDemoError,
    Placement,
    TrainingSettings,
    fit,
    judge,
    leave_one_out,
    read_examples,
    sweep,
    variants,
)
from lora_demo.backbones.bank import style_features
from lora_demo.backbones.features import NONE_OF_THESE
from lora_demo.lab import Result, to_csv
from lora_demo.lora.closed_form import CORRECTION_WEIGHT, FEW, STYLE_WEIGHT, Guarded
from lora_demo.lora.cross_validation import HeldBack, Score
from lora_demo.lora.logistic import TaughtLogits, train_columns
from tests.conftest import DATA

PIXELS_TAKE_LONG = pytest.param(Placement.PIXELS, marks=pytest.mark.slow)
RECIPES = [p if p is not Placement.PIXELS else PIXELS_TAKE_LONG for p in Placement]
PLAIN = [p for p in RECIPES if p is not Placement.GUARDED]
# Of each recipe: few steps, and yet enough to change answers.
SHORT = {
    Placement.GUARDED: TrainingSettings(60, 0.1),
    Placement.HEAD: TrainingSettings(40, 0.02),
    Placement.PIXELS: TrainingSettings(20),
    Placement.CLASSIFIER: TrainingSettings(40, 0.02),
}
IN_TURN = [10, 9, 11, 8, 12, 7, 13, 6, 14, 5]  # teapots and snails among `three_sets`


@pytest.fixture
def teach(three_sets: FeatureSet):
    """Makes sets of goldfish, snails from the first on, and corrections: teapots and snails."""

    def chosen(goldfish: int, snails: int = 0, corrections: int = 0) -> FeatureSet:
        examples = [*range(goldfish), *range(5, 5 + snails)]
        features = three_sets.pick(torch.tensor([*examples, *IN_TURN[:corrections]]))
        labels = features.labels.clone()
        labels[len(examples) :] = NONE_OF_THESE
        return replace(features, labels=labels)

    return chosen


def trained(model, features: FeatureSet, spec: AdapterSpec, settings=None):
    *_, progress = fit(model, features, spec, settings)
    return progress.adapter


def without(features: FeatureSet, *hidden: int) -> FeatureSet:
    return features.pick(torch.tensor([i for i in range(len(features.labels)) if i not in hidden]))


def right_and_left_alone(adapter, asked: FeatureSet, strength: float) -> tuple[int, int]:
    answers, before = adapter.logits(asked, strength).argmax(1), asked.logits.argmax(1)
    examples = asked.is_example
    right = (answers == asked.labels)[examples].sum()
    return int(right), int((answers == before)[~examples].sum())


# A of the guarded head


def directions_by_the_formula(model, features: FeatureSet, rank: int) -> Tensor:
    """Solve the (D, D) system of the docstring of `Guarded` as it stands there: (D, rank)."""
    rows = F.normalize(model.head.weight.double().relu(), dim=1)
    x = features.head_input[features.is_example].double()
    corrections = F.normalize(features.head_input[~features.is_example].double(), dim=1)
    labels = features.labels[features.is_example]
    moment = rows.T @ rows
    moment += moment.diagonal().mean() * torch.eye(len(moment), dtype=torch.float64)
    for q in corrections:
        moment += CORRECTION_WEIGHT / len(corrections) ** 0.5 / len(corrections) * q.outer(q)
    share = STYLE_WEIGHT * (1 - len(labels.unique()) / len(labels)) * min(FEW / len(labels), 1) ** 2
    styles = style_features(model).double()
    moment += share * len(rows) / len(styles) * styles.T @ styles
    return torch.linalg.svd(torch.linalg.solve(moment, x.T), full_matrices=False)[0][:, :rank]


@pytest.mark.parametrize(
    ("goldfish", "snails", "corrections"),
    [(5, 0, 0), (5, 0, 1), (5, 0, 6), (5, 2, 3), (1, 0, 0), (1, 0, 3)],
)
def test_a_is_what_the_formula_gives(model, teach, goldfish, snails, corrections):
    features = teach(goldfish, snails, corrections)
    a = trained(model, features, AdapterSpec(model.name, "guarded", 4), TrainingSettings(1)).lora.A

    expected = directions_by_the_formula(model, features, 4)  # unit columns, of either sign

    count = min(4, goldfish + snails)
    alike = F.normalize(a.double(), dim=0).T @ expected
    torch.testing.assert_close(
        alike.abs(), torch.eye(4, dtype=torch.float64)[:, :count], atol=1e-4, rtol=0
    )
    assert not a[:, count:].any()


@pytest.mark.parametrize("corrections", [0, 3])
def test_a_single_picture_is_not_compared_with_the_bank(model, teach, corrections):
    one = teach(1, 0, corrections)
    shown = torch.ones(1 + corrections, dtype=torch.bool)

    def directions(styles: Tensor) -> Tensor:
        return Guarded.of(one, one.logits, model.head.weight, styles).directions(shown, 1)

    styles = style_features(model)
    torch.testing.assert_close(directions(styles), directions(styles[:0]))


@pytest.mark.parametrize("change", ["the picture", "what the base model calls it"])
def test_a_hidden_correction_changes_nothing_for_the_others(model, teach, change):
    features, settings = teach(4, 1, 3), TrainingSettings(20, 0.1)
    shown = torch.ones(8, dtype=torch.bool)
    shown[6] = False
    x, logits = features.head_input.clone(), features.logits.clone()
    if change == "the picture":
        x[6] = 3 * x[6].flip(0)
    else:
        logits[6] = logits[6].flip(0)

    def learned(features: FeatureSet) -> tuple[Tensor, ...]:
        guarded = Guarded.of(features, features.logits, model.head.weight, style_features(model))
        responses = guarded.responses(shown, 4).float()
        taught = TaughtLogits.of(features.logits, features.labels)
        *_, (losses, b) = train_columns(taught, responses[None], shown[None], settings)
        return guarded.directions(shown, 4), losses, b

    changed = learned(replace(features, head_input=x, logits=logits))

    assert all(map(torch.equal, changed, learned(features)))


# The fit


def test_a_picture_that_comes_twice_takes_nothing_from_other_classes(three_sets):
    settings = TrainingSettings(30, 0.1)
    responses = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))

    def columns(rows: list[int]) -> Tensor:
        labels = torch.tensor([1, 1, 1, 2, NONE_OF_THESE, NONE_OF_THESE, 1])[rows]
        taught = TaughtLogits.of(three_sets.logits[rows], labels)
        everything = torch.ones(1, len(rows), dtype=torch.bool)
        *_, (_, b) = train_columns(taught, responses[rows][None], everything, settings)
        return b

    once, twice = [0, 1, 2, 3, 4, 5], [0, 1, 2, 0, 1, 2, 3, 4, 5, 4, 5]

    torch.testing.assert_close(columns(twice), columns(once), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(columns([*once, 6]), columns(once), atol=1e-2)


def test_the_first_loss_of_guarded_is_the_mean_over_the_classes(model, teach):
    features = teach(5, 1, 6)
    progress = next(fit(model, features, AdapterSpec(model.name, "guarded")))

    goldfish, snail = features.pick(slice(5)), features.pick(slice(5, 6))
    losses = [F.cross_entropy(part.logits, part.labels).item() for part in (goldfish, snail)]

    assert progress.points[0].loss == pytest.approx(sum(losses) / 2)


@pytest.mark.parametrize("placement", PLAIN)
def test_corrections_add_nothing_to_the_loss_before_anything_moves(model, teach, placement):
    features, examples = teach(5, 0, 3), teach(5)

    progress = next(fit(model, features, AdapterSpec(model.name, placement, 2)))

    alone = F.cross_entropy(examples.logits, examples.labels).item()
    assert progress.points[0].loss == pytest.approx(5 / 8 * alone, rel=1e-5)


@pytest.mark.parametrize("corrections", [3, 6], ids=["one batch", "two batches"])
@pytest.mark.parametrize(
    ("placement", "reads", "unit"),
    [
        ("head", "head_input", False),
        pytest.param("pixels", "pixels", True, marks=pytest.mark.slow),
    ],
)
def test_plain_lora_learns_the_base_models_probabilities_of_corrections(
    model, teach, placement, reads, unit, corrections
):
    features, epochs, rate = teach(5, 0, corrections), 4, 1e-2 if placement == "head" else 1e-3
    x, count, seed = vars(features)[reads], 5 + corrections, torch.Generator().manual_seed(3)
    m = x.shape[1]
    a = torch.randn(m, 2, generator=seed) * (1.0 if unit else m**-0.5)
    a, b = a.requires_grad_(), torch.zeros(2, 1000, requires_grad=True)
    optimizer, shuffle = torch.optim.Adam([a, b], lr=rate), torch.Generator().manual_seed(3)
    base = features.logits.softmax(1)
    target = torch.stack(
        [F.one_hot(y, 1000).float() if y >= 0 else base[i] for i, y in enumerate(features.labels)]
    )
    entropy = -torch.where(target > 0, target * target.log(), 0.0).sum(1)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(count, generator=shuffle).split(8):
            logits = features.logits[batch] + x[batch] @ a @ b
            loss = F.cross_entropy(logits, target[batch]) - entropy[batch].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / count)

    *_, ours = fit(
        model, features, AdapterSpec(model.name, placement, 2, 3), TrainingSettings(epochs, rate)
    )

    assert [point.loss for point in ours.points] == pytest.approx(losses, rel=1e-3, abs=1e-4)
    torch.testing.assert_close(ours.adapter.lora.B.detach(), b.detach(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("placement", RECIPES)
def test_fewer_lookalikes_are_captured_after_corrections_that_show_others(model, teach, placement):
    learned, spec = teach(5, 0, 5), AdapterSpec(model.name, placement, class_names=("goldfish",))
    examples, others = teach(5), without(teach(5, 0, 10), *range(10))

    def captured(adapter) -> int:
        return int((adapter.logits(others).argmax(1) == 1).sum())

    corrected = trained(model, learned, spec)

    assert len(others.labels) == 5
    assert captured(corrected) < captured(trained(model, examples, spec))
    assert right_and_left_alone(corrected, examples, corrected.strength) == (5, 0)


# The fair test


@pytest.mark.parametrize("placement", RECIPES)
def test_the_fair_test_hides_an_example_and_a_correction_together(model, teach, placement):
    features, settings = teach(5, 0, 3), SHORT[placement]
    spec = AdapterSpec(model.name, placement, 4)
    *_, held_back = leave_one_out(model, features, spec, settings)

    right = alone = 0
    for fold in range(5):
        hidden = [fold, 5 + fold] if fold < 3 else [fold]
        adapter = trained(model, without(features, *hidden), spec, settings)
        asked = features.pick(torch.tensor(hidden))
        scores = right_and_left_alone(adapter, asked, held_back.strength)
        right, alone = right + scores[0], alone + scores[1]

    assert (held_back.fold, held_back.folds) == (5, 5)
    assert str(held_back.adapted) == f"{right} of 5"
    assert str(held_back.left_alone) == f"{alone} of 3"


def test_more_corrections_than_examples_are_hidden_a_few_at_a_time(model, teach):
    features, spec = teach(2, 0, 5), AdapterSpec(model.name, "guarded", 4)

    steps = list(leave_one_out(model, features, spec))

    assert [(step.adapted.total, step.left_alone.total) for step in steps] == [
        (1, 1),
        (2, 2),
        (2, 3),
        (2, 4),
        (2, 5),
    ]


@pytest.mark.parametrize("placement", RECIPES)
def test_of_one_example_and_three_corrections_only_the_corrections_are_hidden(
    model, teach, placement
):
    features, settings = teach(1, 0, 3), SHORT[placement]
    spec = AdapterSpec(model.name, placement, 4)
    *_, held_back = leave_one_out(model, features, spec, settings)

    alone = 0
    for hidden in (1, 2, 3):
        adapter = trained(model, without(features, hidden), spec, settings)
        asked = features.pick(slice(hidden, hidden + 1))
        alone += right_and_left_alone(adapter, asked, held_back.strength)[1]

    assert held_back.folds == 3
    assert str(held_back.left_alone) == f"{alone} of 3"
    assert str(held_back.base) == str(held_back.adapted) == "0 of 0"
    assert str(held_back.recognised(2.0)) == "0 of 0"


@pytest.mark.parametrize("asked", [None, 0.0, 1.5], ids=str)
@pytest.mark.parametrize("placement", RECIPES)
def test_at_every_strength_it_recognises_what_single_trainings_do(model, teach, placement, asked):
    """Whatever the strength at which the fair test was asked for."""
    features, settings = teach(5, 0, 2), SHORT[placement]
    spec = AdapterSpec(model.name, placement, 4, strength=asked)
    *_, held_back = leave_one_out(model, features, spec, settings)
    hidden = [[fold, 5 + fold] if fold < 2 else [fold] for fold in range(5)]
    adapters = [trained(model, without(features, *fold), spec, settings) for fold in hidden]

    counts = {}
    for strength in (0, 0.1, 0.3, 0.5, 0.9, 1.3, 2):
        counts[strength] = sum(
            right_and_left_alone(adapter, features.pick(torch.tensor(fold)), strength)[0]
            for fold, adapter in zip(hidden, adapters, strict=True)
        )

    assert {s: held_back.recognised(s).correct for s in counts} == counts
    assert {held_back.recognised(s).total for s in counts} == {5}
    assert counts[0] == 0 < max(counts.values())


def test_a_picture_is_recognised_until_another_class_overtakes_it_again():
    nobody, between = Score(0, 0), ((0.0, 1.0), (0.5, math.inf), (math.inf, math.inf))
    held_back = HeldBack(1, 1, nobody, nobody, 1.0, nobody, between)

    scores = [str(held_back.recognised(strength)) for strength in (0, 0.4, 0.5, 0.9, 1.0, 2.0)]

    assert scores == ["1 of 3", "1 of 3", "2 of 3", "2 of 3", "1 of 3", "1 of 3"]


def test_a_result_of_the_fair_test_travels_to_another_process(model, teach):
    *_, held_back = leave_one_out(model, teach(5, 0, 2), AdapterSpec(model.name, "guarded"))

    assert pickle.loads(pickle.dumps(held_back)) == held_back


# How many of them teach


@pytest.mark.parametrize("placement", ["guarded", "head"])
@pytest.mark.parametrize("asked", [0, 2, 6])
def test_the_first_corrections_teach_and_the_adapter_remembers_how_many(
    model, teach, placement, asked
):
    spec = AdapterSpec(model.name, placement, 2, corrections=asked)

    adapter = trained(model, teach(5, 0, 4), spec)

    taught = min(asked, 4)
    same = trained(model, teach(5, 0, taught), replace(spec, corrections=None))
    assert adapter.spec.corrections == same.spec.corrections == taught
    assert torch.equal(adapter.lora.B, same.lora.B)


def test_corrections_that_do_not_teach_are_not_asked_for(model, teach):
    spec = AdapterSpec(model.name, "guarded", 2, corrections=1)

    *_, held_back = leave_one_out(model, teach(5, 0, 4), spec)

    assert held_back.left_alone.total == 1


def test_pictures_are_copied_only_to_leave_some_out(teach):
    features = teach(5, 0, 3)

    assert all(features.with_corrections(count) is features for count in (None, 3, 1000))
    assert features.with_corrections(2).labels.tolist() == [1] * 5 + [NONE_OF_THESE] * 2


@pytest.mark.parametrize(
    ("there", "rows"),
    [
        (0, [(1, 0), (8, 0)]),
        (1, [(1, 1), (8, 1), (4, 0)]),
        (2, [(1, 2), (8, 2), (4, 0), (4, 1)]),
        (6, [(1, 6), (8, 6), (4, 0), (4, 1), (4, 3)]),
        (10, [(1, 10), (8, 10), (4, 0), (4, 1), (4, 3), (4, 6)]),
    ],
)
def test_the_lab_varies_ranks_with_all_corrections_and_their_number_at_one_rank(model, there, rows):
    spec, placements = AdapterSpec(model.name, rank=4), (Placement.GUARDED, Placement.HEAD)

    specs = variants(spec, placements, (1, 8), there)

    found = [(each.placement, each.rank, each.corrections) for each in specs]
    assert found == [(placement, *row) for placement in placements for row in rows]


def test_the_lab_says_how_many_taught_and_how_many_hidden_ones_were_left_alone(model, teach):
    features, spec = teach(5, 0, 3), AdapterSpec(model.name, class_names=("goldfish",))
    rows = variants(spec, (Placement.GUARDED,), (2,), 3)

    results = [step for step in sweep(model, features, rows, []) if isinstance(step, Result)]

    lines = list(csv.DictReader(to_csv(results).splitlines()))
    found = [(result.adapter.spec.rank, result.adapter.spec.corrections) for result in results]
    assert found == [(2, 3), (10, 0), (10, 1)]
    for row, result, line in zip(rows, results, lines, strict=True):
        *_, held_back = leave_one_out(model, features, row)
        assert result.left_alone == held_back.left_alone
        assert result.adapted == held_back.adapted
        assert result.pictures == int(line["pictures"]) == 5
        assert int(line["corrections"]) == result.left_alone.total == row.corrections
        assert int(line["corrections_hidden"]) == row.corrections
        assert int(line["corrections_left_alone"]) == result.left_alone.correct


def test_of_one_picture_and_corrections_the_lab_hides_the_corrections(model, teach):
    features, spec = teach(1, 0, 3), AdapterSpec(model.name, Placement.HEAD)
    *_, progress = fit(model, features, spec)

    *_, result = judge(model, features, progress, [])

    assert (result.pictures, result.left_alone.total) == (1, 3)
    assert str(result.base) == str(result.adapted) == "0 of 0"


# Pictures of none of these


def pictures_of(name: str | None, folder: str, count: int) -> list[LabelledImage]:
    return [LabelledImage(DATA / folder / f"{i}.png", name) for i in range(1, count + 1)]


def test_pictures_without_a_label_are_read_as_corrections(model, goldfish):
    *_, reading = read_examples(model, [*pictures_of(None, "snail", 2), *goldfish])

    assert reading.features.labels.tolist() == [NONE_OF_THESE] * 2 + [1] * 5
    assert reading.features.pictures_per_class == 5


@pytest.mark.parametrize("placement", ["guarded", "head"])
def test_corrections_alone_teach_nothing_and_that_is_said(model, teach, placement):
    spec, nothing = AdapterSpec(model.name, placement), "No picture shows what is to be learned."

    with pytest.raises(LoraDemoError, match=f"^{nothing} Add some that do"):
        list(read_examples(model, pictures_of(None, "snail", 3)))
    with pytest.raises(LoraDemoError, match=f"^{nothing}"):
        list(fit(model, without(teach(1, 0, 3), 0), spec))
    with pytest.raises(LoraDemoError, match=f"^{nothing}"):
        list(leave_one_out(model, without(teach(1, 0, 3), 0), spec))


def test_if_only_corrections_can_be_read_the_bad_example_is_named(model, tmp_path):
    bad = LabelledImage(tmp_path / "fish.jpg", "goldfish")
    bad.path.write_bytes(b"no picture")

    with pytest.raises(LoraDemoError, match=r"None of the pictures to learn from .*“fish.jpg”"):
        list(read_examples(model, [*pictures_of(None, "snail", 2), bad]))
