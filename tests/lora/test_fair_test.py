"""The fair test cannot be fooled: by what is hidden, by a strength, by the number of classes."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from lora_demo import AdapterSpec, Placement, TrainingSettings, fit, leave_one_out
from lora_demo.backbones.bank import style_features
from lora_demo.backbones.features import FeatureSet
from lora_demo.lora.closed_form import Guarded
from lora_demo.lora.strength import guarded_strength

KNOWN = 388  # "giant panda": no drawing of ours is called that
PLAIN = [
    Placement.HEAD,
    pytest.param(Placement.CLASSIFIER, marks=pytest.mark.slow),
    pytest.param(Placement.PIXELS, marks=pytest.mark.slow),
]
# Of each recipe: enough to know every picture by heart.
BY_HEART = {
    Placement.HEAD: TrainingSettings(60, 0.02),
    Placement.CLASSIFIER: TrainingSettings(60, 0.02),
    Placement.PIXELS: TrainingSettings(100),
    Placement.GUARDED: TrainingSettings(150, 0.1),
}


@pytest.fixture(scope="module")
def one_wrong(features: FeatureSet) -> FeatureSet:
    """Five goldfish, of which the last is said to be something else."""
    labels = features.labels.clone()
    labels[-1] = KNOWN
    return replace(features, labels=labels)


def spec_for(model, placement: Placement, strength: float | None = None) -> AdapterSpec:
    names = ("goldfish", model.categories[KNOWN])
    return AdapterSpec(model.name, placement, 4, class_names=names, strength=strength)


@pytest.mark.parametrize("placement", [*PLAIN, Placement.GUARDED])
def test_a_wrong_label_that_is_hidden_cannot_be_guessed(model, one_wrong, placement):
    """Whoever learned from the hidden picture would know it."""
    spec, settings = spec_for(model, placement, strength=1.5), BY_HEART[placement]
    *_, trained = fit(model, one_wrong, spec, settings)
    known_by_heart = trained.adapter.logits(one_wrong).argmax(1)

    *_, before, last = leave_one_out(model, one_wrong, spec, settings)

    assert known_by_heart.equal(one_wrong.labels)
    assert 2 <= before.adapted.correct == last.adapted.correct <= 4


@pytest.mark.parametrize("placement", PLAIN)
def test_the_fair_test_of_plain_lora_asks_at_the_strength_that_was_asked_for(
    model, features, placement
):
    settings = BY_HEART[placement]

    scores = {
        strength: list(
            leave_one_out(model, features, spec_for(model, placement, strength), settings)
        )
        for strength in (0.0, None)
    }

    assert str(scores[0.0][-1].adapted) == str(scores[0.0][-1].base) == "0 of 5"
    assert str(scores[None][-1].adapted) == "5 of 5"
    assert {step.strength for step in scores[0.0]} == {0.0}
    assert {step.strength for step in scores[None]} == {1.0}


@pytest.mark.parametrize("change", ["the picture", "its word, a new one"])
def test_what_is_hidden_changes_nothing_for_the_others(model, features, change):
    hidden = torch.tensor([False, False, True, False, False])
    x, labels = features.head_input.clone(), features.labels.clone()
    if change == "the picture":
        x[hidden] = 3 * x[hidden].flip(1)
    else:
        labels[hidden] = len(model.categories)  # far behind all others

    def coefficients(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits = F.pad(model.head(x), (0, 1), value=-30.0)
        changed = replace(features, head_input=x, labels=labels)
        guarded = Guarded.of(changed, logits, model.head.weight, style_features(model))
        return guarded.coefficients(~hidden, 4)

    assert coefficients(x, labels).equal(coefficients(features.head_input, features.labels))


def needed_strength(adapter, picture: FeatureSet) -> float:
    """The least strength at which it gets its label, found by trying."""
    low, high = 0.0, 4.0
    for _ in range(30):
        middle = (low + high) / 2
        right = adapter.logits(picture, middle).argmax(1).equal(picture.labels)
        low, high = (low, middle) if right else (middle, high)
    return high


@pytest.mark.parametrize("each", [2, 5])
def test_pictures_are_counted_per_class(model, features, three_sets, each):
    """Three classes of five need the strength of five pictures, not that of fifteen."""
    pictures = three_sets.pick(torch.cat([torch.arange(i, i + each) for i in (0, 5, 10)]))
    spec = AdapterSpec(model.name, Placement.GUARDED, class_names=("goldfish", "snail", "teapot"))

    progress = next(fit(model, pictures, spec))
    [first, *_] = leave_one_out(model, pictures, spec)

    alone = next(fit(model, features.pick(slice(each)), replace(spec, class_names=("goldfish",))))
    assert progress.adapter.strength == alone.adapter.strength
    assert progress.adapter.strength == guarded_strength(each) != guarded_strength(3 * each)
    hidden = torch.arange(3 * each).tensor_split(first.folds)[0]
    shown = torch.ones(3 * each, dtype=torch.bool).index_fill(0, hidden, False)
    *_, trained = fit(model, pictures.pick(shown), spec)
    needed = [needed_strength(trained.adapter, pictures.pick(slice(i, i + 1))) for i in hidden]
    assert [min(needs, 4) for needs, _ in first.between] == pytest.approx(needed, abs=1e-3)
    assert first.strength == pytest.approx(guarded_strength(each, torch.tensor(needed)), abs=0.011)
