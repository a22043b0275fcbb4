"""A class that the base model does not know: it is added, learned, kept, and costs nothing else."""

import pytest
import torch

from lora_demo import (
    AdapterSpec,
    LabelledImage,
    LoraDemoError,
    Placement,
    TrainingSettings,
    compare,
    count_broken,
    load_adapter,
    new_adapter,
    save_adapter,
    train,
)
from lora_demo.forgetting import class_prototypes

WORD = "my mug"


@pytest.fixture(scope="module")
def pictures(goldfish):
    return [LabelledImage(picture.path, WORD) for picture in goldfish]


@pytest.fixture(params=[Placement.GUARDED, Placement.HEAD, Placement.PIXELS])
def trained(request, model, pictures):
    spec = AdapterSpec(model.name, request.param, class_names=(WORD,))
    *_, progress = train(model, pictures, spec)
    return progress


def test_the_word_is_learned(model, trained):
    logits = trained.adapter.logits(trained.features)

    assert logits.shape == (5, 1001)
    assert [trained.adapter.categories[i] for i in logits.argmax(1)] == [WORD] * 5


def test_base_only_answers_are_bit_identical(trained):
    adapter, features = trained.adapter, trained.features

    off = adapter.logits(features, strength=0)

    assert torch.equal(off[:, :1000], features.logits)
    assert torch.equal(off.softmax(1)[:, :1000], features.logits.softmax(1))
    assert (off.argmax(1) < 1000).all()


def test_before_any_training_the_word_comes_last(model, features):
    adapter = new_adapter(AdapterSpec(model.name, class_names=(WORD,)), model)
    one = features.pick(slice(1))

    comparison = compare(model, one, adapter)

    assert comparison.before == compare(model, one).before
    assert comparison.after == comparison.before
    assert comparison.taught[0].after.rank == 1001


def test_it_is_saved_and_loaded_with_its_name(tmp_path, model, trained):
    path = save_adapter(trained.adapter, tmp_path / "lora.safetensors")

    loaded = load_adapter(path, model)

    assert loaded.categories[1000] == WORD
    assert torch.equal(loaded.logits(trained.features), trained.adapter.logits(trained.features))


def test_a_pth_keeps_the_output_and_loses_the_name(tmp_path, model, trained):
    path = save_adapter(trained.adapter, tmp_path / "lora.pth")

    loaded = load_adapter(path, model)

    assert loaded.categories[1000] == "new word 1"
    answers = loaded.logits(trained.features)
    torch.testing.assert_close(answers, trained.adapter.logits(trained.features))


def test_a_guarded_word_leaves_the_known_kinds_alone(model, pictures):
    spec = AdapterSpec(model.name, Placement.GUARDED, class_names=(WORD,))
    *_, progress = train(model, pictures, spec)

    assert count_broken([class_prototypes(model)], progress.adapter).changed == 0


def test_known_and_new_words_are_taught_together(model, goldfish):
    names = ("goldfish", WORD, "snail")
    pictures = [LabelledImage(p.path, names[i % 3]) for i, p in enumerate(goldfish)]

    spec = AdapterSpec(model.name, Placement.HEAD, class_names=names)
    *_, progress = train(model, pictures, spec, TrainingSettings(300))

    answers = progress.adapter.logits(progress.features).argmax(1)
    assert [progress.adapter.categories[i] for i in answers] == [p.label for p in pictures]


@pytest.mark.parametrize(
    "word",
    ["", " ", "<b>", "x" * 41, "a\nb", "a\0b", "(c)", "mug ", "\u3164", "Goldfish", "sea_snake"],
)
def test_what_is_no_word_is_refused(model, word):
    with pytest.raises(LoraDemoError, match="cannot be a new word"):
        new_adapter(AdapterSpec(model.name, class_names=(word,)), model)


def test_the_same_new_word_twice_is_refused(model):
    with pytest.raises(LoraDemoError, match="“Mug” cannot be a new word"):
        new_adapter(AdapterSpec(model.name, class_names=("mug", "Mug")), model)


def test_too_many_new_words_are_refused(model):
    names = tuple(f"word {number}" for number in range(101))
    with pytest.raises(LoraDemoError, match="101 new words are too many: 100 at most"):
        new_adapter(AdapterSpec(model.name, class_names=names), model)


def test_a_picture_of_an_unannounced_word_is_refused(model, pictures):
    with pytest.raises(LoraDemoError, match="“my mug” is none of the 1,000 classes"):
        list(train(model, pictures, AdapterSpec(model.name)))
