"""What is shown stands in its place: an answer with its picture, a number with its name."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lora_demo import (
    AdapterSpec,
    Broken,
    Result,
    Score,
    TrainingSettings,
    fit,
    judge,
    open_image,
)
from lora_demo.lora.evaluation import Changed
from lora_demo.serving.session import Session
from lora_demo.serving.tasks import ForgettingReport
from lora_demo.ui.render.forgetting import render_forgetting
from lora_demo.ui.render.summaries import judgement
from lora_demo.ui.render.table import results_view
from lora_demo.ui.samples import OF_OTHER_THINGS, OF_THE_VISITOR, PHOTOS, drawings_of
from lora_demo.ui.steps import comparison as comparison_step
from tests.conftest import DATA

SNAILS = sorted((DATA / "snail").glob("*.png"))
OF_SNAILS, WORDS = drawings_of("snail"), ["goldfish", "snail"]


@pytest.fixture(scope="module")
def result(model, features):
    *_, trained = fit(model, features, AdapterSpec(model.name, "head", 2), TrainingSettings(20))
    *_, result = judge(model, features, trained, [])
    return result


def shown(report: str) -> list[tuple[Image.Image, str]]:
    """Each picture of a list, and the words beside it."""
    items = re.findall(
        r'<li><img src="data:image/jpeg;base64,([^"]+)".*?<span>(.*?)</span></li>',
        report,
        re.DOTALL,
    )
    decoded = [Image.open(io.BytesIO(base64.b64decode(data))) for data, _ in items]
    words = [" ".join(re.sub(r"<.*?>", " ", text).split()) for _, text in items]
    return list(zip(decoded, words, strict=True))


def which(picture: Image.Image, paths: list[Path]) -> Path:
    """The file that a thumbnail was made of."""

    def distance(path: Path) -> float:
        original = open_image(path).resize(picture.size)
        return np.abs(np.float32(original) - np.float32(picture.convert("RGB"))).mean()

    nearest = min(paths, key=distance)
    assert distance(nearest) < 20
    return nearest


@pytest.mark.parametrize("group", [OF_SNAILS, OF_THE_VISITOR])
def test_a_changed_answer_stands_beside_its_own_picture(group):
    broken = Broken((Changed(1, "sock", "goldfish"), Changed(4, "cup", "snail")), 1, 5)

    damage = ForgettingReport({group: broken}, None, {})
    report = render_forgetting(damage, {group: SNAILS}, WORDS, True)

    [first, second] = shown(report)
    assert (which(first[0], SNAILS), first[1]) == (SNAILS[1], "sock → goldfish")
    assert (which(second[0], SNAILS), second[1]) == (SNAILS[4], "cup → snail")


def test_each_photo_stands_beside_what_it_is_called():
    photos = [Path(path) for path in PHOTOS]
    called = {place: f"kind {place}" for place in range(len(photos))}
    broken = Broken((Changed(2, "kind 2", "goldfish"),), 1, len(photos))
    report = ForgettingReport({OF_OTHER_THINGS: broken}, None, {OF_OTHER_THINGS: called})

    found = shown(render_forgetting(report, {OF_OTHER_THINGS: photos}, WORDS, True))

    assert found[0][1].startswith("kind 2 → goldfish")  # what changed comes first
    assert {which(picture, photos): words.split(":")[0].strip() for picture, words in found} == {
        path: "kind 2 → goldfish" if place == 2 else f"kind {place}"
        for place, path in enumerate(photos)
    }


@pytest.mark.parametrize("count", [1, 300])
def test_kinds_that_changed_are_never_called_nothing_broken(count):
    classes = Broken(tuple(Changed(i, "sock", "goldfish") for i in range(count)), count, 1000)
    whole = {OF_SNAILS: Broken((), 0, 10)}
    damage = ForgettingReport(whole, classes, {})

    report = render_forgetting(damage, {OF_SNAILS: SNAILS}, WORDS, guarded=False)

    assert not damage.is_none
    assert "It learned, and it broke something that it knew." in report
    assert f"<b>{count}</b> changed" in report
    assert "Nothing broken" not in report
    assert 'class="note note-warn"' in report


def test_the_summary_tells_changed_from_captured(result):
    three = tuple(Changed(i, "sock", "goldfish") for i in range(3))
    told = replace(
        result,
        test=replace(result.test, base=Score(1, 5), adapted=Score(4, 5), left_alone=Score(2, 3)),
        pictures_broken=Broken(three, 2, 15),
        classes_broken=Broken(three[:1], 0, 1000),
    )

    assert judgement(told) == {
        "leave_one_out": {"base": 1, "adapted": 4, "total": 5, "left_alone": 2, "others": 3},
        "broken": {"changed": 3, "captured": 2, "total": 15, "classes_changed": 1},
    }


def test_in_the_plot_of_results_learned_is_up_and_broken_is_right(result):
    def trained(learned: int, broken: int) -> Result:
        changes = tuple(Changed(i, "sock", "goldfish") for i in range(broken))
        test = replace(result.test, adapted=Score(learned, 5))
        return replace(result, test=test, pictures_broken=Broken(changes, 0, 15))

    page = results_view([trained(5, 0), trained(0, 15), trained(3, 5)])

    points = re.findall(r'data-row="(\d)">.*?<circle cx="([\d.]+)" cy="([\d.]+)"', page, re.DOTALL)
    (best_x, best_y), (worst_x, worst_y), (x, y) = [(float(x), float(y)) for _, x, y in points]
    assert [row for row, _, _ in points] == ["0", "1", "2"]
    assert best_x < x < worst_x
    assert best_y < y < worst_y  # in SVG, down is more
    labels = {
        name: (float(x), float(y))
        for x, y, name in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([a-z ]+)</text>', page)
    }
    assert abs(labels["all"][1] - best_y) < abs(labels["all"][1] - worst_y)
    assert abs(labels["none"][1] - worst_y) < abs(labels["none"][1] - best_y)
    assert abs(labels["nothing broken"][0] - best_x) < abs(labels["nothing broken"][0] - worst_x)


@pytest.mark.parametrize("network", ["efficientnet_lite1", "vgg19"])
def test_a_lora_is_asked_on_its_own_network(result, network):
    """Whatever network was chosen since for the next lesson."""
    session, drawing = Session(adapter=result.adapter), str(DATA / "goldfish" / "1.png")

    own = comparison_step._compare(drawing, session, "efficientnet_lite0", 1.0)
    other = comparison_step._compare(drawing, session, network, 1.0)

    assert "EfficientNet-Lite0 alone" in own
    assert other == own


@pytest.mark.parametrize("sets", [["goldfish"], ["snail", "teapot"]], ids=" and ".join)
def test_a_set_offers_its_unseen_pictures_first(sets):
    items, chosen = comparison_step._offer(sets, [])

    unseen = [path for name in sets for path in sorted((DATA / name / "held_out").glob("*.png"))]
    first = [Path(path).read_bytes() for path, _ in items[: len(unseen)]]
    assert first == [path.read_bytes() for path in unseen]
    assert Path(chosen).read_bytes() == unseen[0].read_bytes()
    assert {kind for _, kind in items[len(unseen) :]} == {"other"}
