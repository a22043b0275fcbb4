"""What the page says of records: true words, and nothing of a visitor's runs as HTML."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lora_demo import (
    AdapterSpec,
    Comparison,
    ImageError,
    LossPoint,
    Prediction,
    ReadingProgress,
    TrainingSettings,
    fit,
    judge,
    new_adapter,
)
from lora_demo.lora.cross_validation import Score
from lora_demo.lora.evaluation import Broken, Change, Changed
from lora_demo.lora.fitting import FitProgress
from lora_demo.lora.recipes import Placement
from lora_demo.lora.spec import adapter_size
from lora_demo.serving.tasks import ForgettingReport
from lora_demo.ui.render.charts import MAX_PLOT_POINTS, comparison_card, loss_plot, size_card
from lora_demo.ui.render.forgetting import Repaired, render_forgetting
from lora_demo.ui.render.notes import (
    end_note,
    fitting_note,
    loaded_note,
    note,
    problem,
    reading_note,
    ready_note,
)
from lora_demo.ui.render.results import held_back_note, strength_note
from lora_demo.ui.samples import OF_OTHER_THINGS, OF_THE_VISITOR, PHOTOS, drawings_of
from tests.conftest import DATA

MARKUP = "<img src=x onerror=alert(1)>"
SAFE = "&lt;img src=x onerror=alert(1)&gt;"


def prediction(name: str, probability: float, rank: int = 1) -> Prediction:
    return Prediction(name, probability, rank)


def comparison(name: str, before: float = 0.0002, after: float = 0.9) -> Comparison:
    change = Change(prediction(name, before, 912), prediction(name, after))
    return Comparison((prediction("sock", 0.5),), (prediction(name, after),), (change,))


READING = ReadingProgress(6, pictures_read=5, refused=(ImageError(MARKUP, "is empty."),))


@pytest.fixture
def trained(model) -> FitProgress:
    spec = AdapterSpec(model.name, class_names=("goldfish",))
    points = (LossPoint(1, 8.0, 0.1), LossPoint(2, 0.5, 0.2))
    return FitProgress(new_adapter(spec, model), points, spec, TrainingSettings(4))


def test_file_names_and_class_names_are_escaped(trained):
    spec = AdapterSpec("vgg19", class_names=(MARKUP,))
    texts = [
        end_note(READING, trained),
        problem(ImageError(MARKUP, "is empty.")),
        loaded_note(spec, MARKUP),
        comparison_card(comparison(MARKUP), MARKUP, True, 1.0),
    ]

    assert all(SAFE in text and MARKUP not in text for text in texts)


def test_the_end_is_told_in_words(trained):
    stopped = end_note(READING, trained)
    assert "Stopped; what was learned is kept." in stopped
    assert "2 of 4 rounds with 5 pictures took 0.2 s" in stopped
    assert "from 8.00 to 0.50" in stopped
    done = replace(trained, settings=TrainingSettings(2))
    assert "<b>Done!</b> 2 rounds" in end_note(READING, done)
    hardly = replace(trained, points=(LossPoint(1, 8.0, 0.1),), settings=TrainingSettings(1))
    assert "<b>Done!</b> 1 round with" in end_note(READING, hardly)
    assert "hardly learned yet" in end_note(READING, hardly)
    assert "Nothing was learned this time" in end_note(READING, None)


def test_the_fair_test_is_told_as_counts(model, features):
    spec = AdapterSpec(model.name, Placement.GUARDED)
    *_, fitted = fit(model, features, spec, TrainingSettings(1))
    *_, held_back, result = judge(model, features, fitted, [])

    def tested(right: int, total: int = 5, **more: Score) -> str:
        test = replace(held_back, adapted=Score(right, total), **more)
        return held_back_note(replace(result, test=test))

    good = tested(4)
    assert "recognised <b>4 of 5</b> hidden pictures; the network alone 0 of 5" in good
    assert "Mostly it learned the thing" in good
    assert "these pictures, not the thing: add more" in tested(1)
    assert "With one picture it cannot be made" in held_back_note(replace(result, test=None))
    alone = tested(0, 0, left_alone=Score(2, 3))  # one example, three of other things
    assert "it left <b>2 of 3</b> hidden ones alone" in alone
    assert "of other things" not in good


def test_what_broke_is_told_by_group_with_before_and_after():
    words, snails = ["goldfish"], drawings_of("snail")
    whole = {snails: Broken((), 0, 10), OF_THE_VISITOR: Broken((), 0, 3)}
    damage = ForgettingReport(whole, Broken((), 0, 1000), {})
    report = render_forgetting(damage, {}, words, guarded=True)
    assert "Nothing is broken, and nothing else is called so" in report
    assert "Our drawings of a snail: <b>0 of 10</b> also called “goldfish”." in report
    assert "Pictures of yours: <b>0 of 3</b> also called “goldfish”." in report
    assert "Of the 1,000 kinds of things that the network knew, <b>0</b> changed" in report

    path = str(DATA / "snail" / "1.png")
    harmed = whole | {snails: Broken((Changed(0, MARKUP, "goldfish"),), 1, 10)}
    damage, paths = ForgettingReport(harmed, None, {}), {snails: [path]}
    report = render_forgetting(damage, paths, words, guarded=True)
    assert "Nothing that it knew is broken. But it says “goldfish” of other things, too." in report
    assert "Our drawings of a snail: <b>1 of 10</b> also called" in report
    assert f'{SAFE}</b> → <b class="lora">goldfish' in report
    assert "Show it some of these as “none of these”" in report
    assert "kinds of things" not in report


@pytest.mark.parametrize(
    ("before", "after", "title", "told"),
    [
        ("lion", None, "Nothing is broken", "lion</b>: right, before and now"),
        ("lion", "cup", "and it broke something that it knew", "cup</b>: right before, now broken"),
        ("chow", None, "Nothing is broken", "chow</b>: wrong from the start"),
        ("chow", "cup", "is broken, but other", "cup</b>: changed, but wrong from the start"),
    ],
)
def test_a_photo_can_break_only_where_it_was_right(before, after, title, told):
    lion = next(Path(path) for path, word in PHOTOS.items() if word == "lion")
    changes = (Changed(0, before, after),) if after else ()
    groups = {OF_OTHER_THINGS: Broken(changes, 0, 1)}
    damage = ForgettingReport(groups, None, {OF_OTHER_THINGS: {0: before}})

    report = render_forgetting(damage, {OF_OTHER_THINGS: [lion]}, ["goldfish"], guarded=True)

    assert title in report
    assert told in report
    known = int(before == "lion")
    assert f"named <b>{known}</b> of them rightly" in report
    assert f"<b>{int(bool(known and after))}</b> of these broke" in report


def test_of_a_visitors_picture_the_report_keeps_nothing(tmp_path):
    path = tmp_path / "mine.png"
    groups = {OF_THE_VISITOR: Broken((Changed(0, "cup", "goldfish"),), 1, 1)}
    reports = set()
    for color in ("red", "blue"):
        Image.new("RGB", (9, 9), color).save(path)
        damage = ForgettingReport(groups, None, {})
        reports.add(render_forgetting(damage, {OF_THE_VISITOR: [path]}, ["goldfish"], guarded=True))

    assert len(reports) == 2


def test_the_strength_is_explained(model):
    guarded = new_adapter(AdapterSpec(model.name, Placement.GUARDED, strength=1.27), model)
    told = strength_note(guarded, 0.5, Score(4, 5), Score(2, 10))
    assert "automatic: 1.27" in told
    assert "--at:63.5%" in told  # of the way from 0 to 2
    assert "The page chose its strength" in told
    assert "At <b>0.50</b> it recognises 4 of 5 hidden pictures and takes 2 of 10 pictures" in told
    plain = strength_note(new_adapter(AdapterSpec(model.name), model), 1.0)
    assert "automatic: 1.00" in plain
    assert "chose" not in plain
    assert "it recognises" not in plain


@pytest.mark.parametrize(
    ("repaired", "told"),
    [
        (Repaired(0, 0, 0), "No picture of other things is left that taught neither time"),
        (Repaired(6, 2, 15), "<b>Better.</b> Of 15 pictures"),
        (Repaired(1, 0, 1), "<b>Better.</b> Of 1 picture of"),
        (Repaired(6, 5, 15), "<b>Better.</b>"),
        (Repaired(0, 0, 19), "<b>Trained again.</b>"),
        (Repaired(2, 2, 15), "<b>No better.</b>"),
        (Repaired(2, 5, 15), "<b>No better.</b>"),
    ],
    ids=str,
)
def test_put_right_is_said_only_where_it_is(repaired, told):
    damage = ForgettingReport({}, None, {})
    report = render_forgetting(damage, {}, [MARKUP], guarded=True, repaired=repaired)

    assert told in report
    assert MARKUP not in report
    assert ("note-warn" in report) == ("No better" in told)


def test_a_new_word_is_announced_with_the_words_that_are_alike():
    typo = ready_note(5, ["goldfisch"], ["goldfisch"], ["goldfish"])
    assert "no word “goldfisch” yet: it will be a new one. Or did you mean goldfish?" in typo
    assert "new one" not in ready_note(5, ["goldfish"])
    assert MARKUP not in ready_note(5, [MARKUP], [MARKUP])
    assert "What do they show?" in ready_note(5)


def test_only_a_running_job_is_marked_as_running_whatever_a_note_looks_like(trained):
    running = fitting_note(trained), note("Stopping …", "good", running=True)
    over = end_note(READING, trained), note("It looks busy.", "busy"), ready_note(5, ["goldfish"])

    assert all('data-job="running"' in text for text in running)
    assert not any("data-job" in text for text in over)


def test_progress_tells_what_is_done_and_how_long_it_will_take(trained):
    assert "round 2 of 4 · 0.2 s left" in fitting_note(trained)
    assert "picture 2 of 4 · 3 min left" in reading_note(ReadingProgress(4, 1, seconds=60.0))


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "&lt; 0.1 %"),
        (1e-6, "&lt; 0.1 %"),
        (0.000499, "&lt; 0.1 %"),
        (0.000501, "0.1 %"),
        (0.00149, "0.1 %"),
        (0.004, "0.4 %"),
        (0.00949, "0.9 %"),
        (0.0096, "1.0 %"),
        (0.1234, "12.3 %"),
        (0.5, "50.0 %"),
        (0.994, "99.4 %"),
        (0.99949, "99.9 %"),
        (0.99951, "&gt; 99.9 %"),
        (1.0, "&gt; 99.9 %"),
    ],
)
def test_probabilities_are_never_rounded_to_a_lie(probability, text):
    card = comparison_card(comparison("goldfish", after=probability), "VGG-19", True, 1.0)

    assert f'<span class="lora">{text}</span>' in card


def test_the_comparison_says_what_changed():
    card = comparison_card(comparison("goldfish"), "VGG-19", True, 1.0)

    assert "from place 912 to place 1" in card
    assert "from <b>sock</b> to <b>goldfish</b>" in card
    second = Change(prediction("goldfish", 0.1, 9), prediction("goldfish", 0.3, 2))
    stays = Comparison((prediction("sock", 0.5),), (prediction("sock", 0.4),), (second,))
    advice = comparison_card(stays, "VGG-19", True, 1.0)
    assert "stays <b>sock</b>. But goldfish is on its way up: turn the strength up" in advice
    assert "Nothing is trained yet" in comparison_card(comparison("fish"), "VGG-19", False, 1.0)


@pytest.mark.parametrize("epochs", [1, 2, 200, 201, 1000])
def test_the_plot_shows_the_first_epoch_and_keeps_first_and_last(epochs):
    points = tuple(LossPoint(i, 1000.0 - i, i / 100) for i in range(1, epochs + 1))

    plot = loss_plot(points, 1000)

    line = plot.split('<polyline points="')[1].split('"')[0].split()
    assert len(line) <= MAX_PLOT_POINTS
    assert line[0].startswith("44.0,12.0")
    assert f'<circle cx="{line[-1].split(",")[0]}"' in plot


def test_thinning_the_plot_out_keeps_the_extremes():
    losses = [5.0] * 1000
    losses[500], losses[700] = 9.0, 1.0  # one epoch each
    plot = loss_plot(tuple(LossPoint(i, loss, 0.0) for i, loss in enumerate(losses, 1)), 1000)

    line = plot.split('<polyline points="')[1].split('"')[0].split()
    assert {pair.split(",")[1] for pair in line} == {"12.0", "73.3", "134.7"}
    assert len(line) <= MAX_PLOT_POINTS


def test_the_numbers_of_lora_are_those_of_the_article(random_vgg19):
    size = adapter_size(AdapterSpec("vgg19", Placement.PIXELS, 10), random_vgg19)
    card = size_card(size, "VGG-19", guarded=False)

    assert all(text in card for text in ("143,667,240", "1,515,280", "1.05 %", "6.1 MB"))


def test_the_page_teaches_that_one_guarded_class_is_a_change_of_rank_1(model):
    size = adapter_size(AdapterSpec(model.name, Placement.GUARDED, 10), model)

    assert "for one kind of thing that is a change of rank 1" in size_card(size, "x", guarded=True)
    assert "rank 1" not in size_card(size, "x", guarded=False)
