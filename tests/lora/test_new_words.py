"""A class that the base model does not know: it is added, learned, kept, and costs nothing else."""

import unicodedata

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
    fit,
    load_adapter,
    new_adapter,
    read_examples,
    save_adapter,
    train,
)
from lora_demo.class_names import CATEGORIES, known_words
from lora_demo.lora.evaluation import class_prototypes
from lora_demo.ui.uploads import to_word

WORD = "my mug"


@pytest.fixture(scope="module")
def pictures(goldfish):
    return [LabelledImage(picture.path, WORD) for picture in goldfish]


@pytest.fixture(scope="module", params=[Placement.GUARDED, Placement.HEAD, Placement.PIXELS])
def trained(request, model, pictures):
    spec = AdapterSpec(model.name, request.param, class_names=(WORD,))
    *_, progress = train(model, pictures, spec)
    return progress


def test_the_word_is_learned(features, trained):
    logits = trained.adapter.logits(features)

    assert logits.shape == (5, 1001)
    assert [trained.adapter.categories[i] for i in logits.argmax(1)] == [WORD] * 5


def test_base_only_answers_are_bit_identical(features, trained):
    adapter = trained.adapter

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


def test_it_is_saved_and_loaded_with_its_name(tmp_path, model, features, trained):
    path = save_adapter(trained.adapter, tmp_path / "lora.safetensors")

    loaded = load_adapter(path, model)

    assert loaded.categories[1000] == WORD
    assert torch.equal(loaded.logits(features), trained.adapter.logits(features))


def test_a_pth_keeps_the_output_and_loses_the_name(tmp_path, model, features, trained):
    path = save_adapter(trained.adapter, tmp_path / "lora.pth")

    loaded = load_adapter(path, model)

    assert loaded.categories[1000] == "new word 1"
    answers = loaded.logits(features)
    torch.testing.assert_close(answers, trained.adapter.logits(features))


def test_a_guarded_word_leaves_the_known_kinds_alone(model, pictures):
    spec = AdapterSpec(model.name, Placement.GUARDED, class_names=(WORD,))
    *_, progress = train(model, pictures, spec)

    assert count_broken([class_prototypes(model)], progress.adapter).changed == 0


def test_known_and_new_words_are_taught_together(model, goldfish):
    names = ("goldfish", WORD, "snail")
    pictures = [LabelledImage(p.path, names[i % 3]) for i, p in enumerate(goldfish)]

    spec = AdapterSpec(model.name, Placement.HEAD, class_names=names)
    *_, reading = read_examples(model, pictures, names)
    *_, progress = fit(model, reading.features, spec, TrainingSettings(300))

    answers = progress.adapter.logits(reading.features).argmax(1)
    assert [progress.adapter.categories[i] for i in answers] == [p.label for p in pictures]


IN_ANY_SCRIPT = {
    "Hindi": "मछली",
    "Tamil": "சோறு",
    "Tamil, the mark of no vowel": "நாய்",
    "Bengali": "দুধ",
    "Burmese": "ငါး",
    "Burmese, four marks on a letter": "မြွှာ",
    "Khmer": "ត្រី",
    "Thai": "น้ำ",
    "Arabic": "سَمَكَة",
    "Hebrew": "שָׁלוֹם",
    "Persian, not joined": "دا\u200cی",
    "Sinhala, joined": "ශ්\u200dරී",
    "Vietnamese": "cá vàng",
    "Chinese": "金鱼",
    "Korean": "금붕어",
}


@pytest.mark.parametrize("word", IN_ANY_SCRIPT.values(), ids=IN_ANY_SCRIPT)
def test_a_word_may_be_written_in_any_script(word):
    typed = unicodedata.normalize("NFD", word)  # as some keyboards send it

    for label in (to_word(word), to_word(typed)):
        assert label == word
        assert known_words((label,), CATEGORIES)[-1] == word


NO_WORDS = {
    "nothing": "",
    "a space": " ",
    "a space behind it": "mug ",
    "too long": "x" * 41,
    "too long with its marks": "x" + "\u0930\u093e" * 20,
    "markup": "<b>",
    "two lines": "a\nb",
    "a NUL": "a\0b",
    "another form of a letter": "(c)",
    "a known word": "Goldfish",
    "a known word with an underscore": "sea_snake",
    "a known word with an unseen joiner": "gold\u200cfish",
    "a mark alone": "\u0301",
    "a mark on a space": "my \u0301mug",
    "a letter under a tower of marks": "z" + "\u0316" * 7,
    "an unseen letter": "\u3164",
    "an unseen vowel": "\u1160",
    "an unseen mark": "mug\ufe0f",
    "a joiner alone": "\u200d",
    "a joiner at the end": "mug\u200d",
    "two joiners": "m\u200d\u200dug",
    "a space without width": "my\u200bmug",
    "a hyphen that is not seen": "my\u00admug",
    "read from right to left": "my\u202emug",
    "a direction within": "my\u2067mug",
    "a figure in a box": "1\u20e3",
    "a family": "\U0001f468\u200d\U0001f469",
    "no letter of any kind": "\ue000",
}


@pytest.mark.parametrize("word", NO_WORDS.values(), ids=NO_WORDS)
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
