"""What taught is never tested, and “Put it right” says what it did, whatever happened before."""

import re
import shutil
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from playwright.sync_api import Page, expect

from lora_demo import AdapterSpec, LabelledImage, new_adapter
from lora_demo.serving.session import Session
from lora_demo.ui.samples import (
    OF_OTHER_THINGS,
    OF_THE_VISITOR,
    drawings_of,
    original_of,
    unrelated_paths,
)
from lora_demo.ui.steps.repair import correct, knows_what_taught
from tests.conftest import DATA
from tests.support.visitor import (
    HELD_OUT_SNAIL,
    leave_alone,
    load_goldfish_for,
    set_number,
    teach,
    thumbnails,
    train,
)

GOLDFISH = LabelledImage(DATA / "goldfish" / "1.png", "Nemo")
SNAILS = sorted((DATA / "snail").glob("*.png"))
TOLD = re.compile(r"Of (\d+) pictures .* wrongly calls (\d+) “(?:goldfish|Nemo)”; before, (\d+)")


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return Path(get_upload_folder())


def upload(uploads: Path, source: Path) -> Path:
    return Path(shutil.copy(source, uploads / f"mine-{source.name}"))


def test_a_set_that_taught_another_word_shows_the_thing():
    assert drawings_of("goldfish") in unrelated_paths(["Nemo"])
    assert drawings_of("goldfish") in unrelated_paths(["Dory"], taught=[GOLDFISH])
    assert drawings_of("goldfish") not in unrelated_paths(["Nemo"], taught=[GOLDFISH])


def test_what_taught_tests_nothing_and_a_copy_of_ours_is_ours(uploads):
    copy = upload(uploads, SNAILS[0])
    assert original_of(copy) == SNAILS[0]
    assert original_of(uploads / "gone.png") == uploads / "gone.png"

    mine = unrelated_paths(["goldfish"], own=[(str(copy), None)])
    taught = unrelated_paths(
        ["goldfish"], own=[(str(copy), None)], taught=[LabelledImage(SNAILS[0], None)]
    )

    assert mine[OF_THE_VISITOR] == [SNAILS[0]]
    assert taught[OF_THE_VISITOR] == []
    for groups in (mine, taught):
        assert SNAILS[0] not in groups[drawings_of("snail")]
        assert len(groups[drawings_of("snail")]) == 9
        assert len(groups[OF_OTHER_THINGS]) == 5


def test_half_of_what_is_not_there_yet_becomes_corrections_once(uploads, model):
    adapter = new_adapter(AdapterSpec(model.name, class_names=("goldfish",)), model)
    session = Session(adapter=adapter, captured=tuple(SNAILS), tested=frozenset(SNAILS))
    session.remember_taught([LabelledImage(DATA / "goldfish" / "1.png", "goldfish")])
    there = [(str(upload(uploads, SNAILS[1])), None)]

    once = correct(session, there)
    shutil.rmtree(Path(once[-1][0]).parent)  # as when another visitor forgets
    again = correct(session, there)

    assert once == again
    assert [original_of(Path(path)) for path, _ in again] == [SNAILS[1], SNAILS[2], SNAILS[4]]
    assert session.repair
    assert session.repair.tested.isdisjoint([SNAILS[2], SNAILS[4]])


def test_of_a_lora_from_a_file_nobody_says_that_it_was_put_right(uploads, model):
    adapter = new_adapter(AdapterSpec(model.name, class_names=("Nemo",), corrections=1), model)
    session = Session(adapter=adapter, captured=tuple(SNAILS), tested=frozenset(SNAILS))
    assert not knows_what_taught(session)
    correct(session, [])
    assert session.repair is None

    session.remember_taught([GOLDFISH])
    assert not knows_what_taught(session)
    session.remember_taught([LabelledImage(SNAILS[0], None)])
    assert knows_what_taught(session)
    correct(session, [])
    assert session.repair

    session.choose(adapter)
    assert session.repair is None


def put_right(page: Page) -> tuple[int, ...]:
    """Click it; return how many pictures are asked again, how many are taken now, and before."""
    page.locator("#put-right").click()
    expect(page.locator("#broken")).to_contain_text(TOLD, timeout=30_000)
    return tuple(map(int, TOLD.search(page.locator("#broken").inner_text()).groups()))


def teach_goldfish_as(page: Page, word: str) -> None:
    page.get_by_role("button", name="Goldfish", exact=True).click()
    box = page.locator("#class-name input")
    expect(box).to_have_value("goldfish")
    box.fill(word)
    box.press("Enter")
    expect(page.locator("#lesson-status")).to_contain_text(f"“{word}”")
    train(page)


def test_drawings_under_a_word_of_ones_own_are_not_its_look_alikes(page):
    teach_goldfish_as(page, "Nemo")
    expect(page.locator("#broken")).to_contain_text("of a snail: ")
    expect(page.locator("#broken")).not_to_contain_text("of a goldfish")
    expect(page.locator("#results tbody tr")).to_contain_text("of 25")

    put_right(page)

    expect(page.locator("#lesson-status")).not_to_contain_text("Left out")


def test_own_pictures_are_put_there_once_and_a_moved_dial_counts_nothing(page):
    teach(page, "Goldfish")
    leave_alone(page, [HELD_OUT_SNAIL])
    expect(page.locator("#broken")).to_contain_text("Pictures of yours: ", timeout=20_000)
    dial = page.locator("#dial")
    taken = re.compile(r"takes (\d+) of (\d+) pictures")
    at_its_own, total = map(int, taken.search(dial.inner_text()).groups())
    set_number(page, "strength", "2")
    expect(dial).to_contain_text("At 2.00", timeout=20_000)

    asked, _, before = put_right(page)

    expect(page.locator("#lesson-status")).not_to_contain_text("Left out")
    there = thumbnails(page, "alone").count()
    assert asked == total - there
    assert before <= at_its_own - there + 1  # its own may not have been taken

    set_number(page, "strength", "0")
    expect(page.locator("#broken")).to_contain_text("Nothing is broken", timeout=20_000)
    expect(page.locator("#broken")).not_to_contain_text("it now wrongly calls")
    expect(page.locator("#put-right")).to_have_count(0)


def test_two_quick_clicks_put_right_once(page):
    teach(page, "Goldfish")
    expect(page.locator("#put-right")).to_be_visible()

    page.locator("#put-right").evaluate("button => { button.click(); button.click() }")

    expect(page.locator("#broken")).to_contain_text("Better.", timeout=30_000)
    expect(page.locator("#lesson-status")).not_to_contain_text("Left out")
    sources = [image.get_attribute("src") for image in page.locator("#alone img").all()]
    assert len(set(sources)) == len(sources)


def test_a_long_word_of_ones_own_stays_in_its_place_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    teach_goldfish_as(page, "Überraschungsgästehäuserstraßenfischköfi")
    expect(page.locator("#put-right")).to_be_visible()

    set_number(page, "strength", "2")
    expect(page.locator("#dial")).to_contain_text("At 2.00")

    for part in ("#broken .note", "#broken .changed li", "#lesson-status .note"):
        boxes = page.locator(part)
        wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
        assert boxes.evaluate_all(wide) == 0
    move = "dial => dial.style.setProperty('--at', '100%')"  # as for an automatic strength of 2
    page.locator("#dial .dial b").evaluate(move)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_empty_step_1_is_offered_nothing(page, tmp_path):
    load_goldfish_for(page, "Plain LoRA on the last layer")
    train(page)
    expect(page.locator("#safe")).to_be_visible()
    for _ in range(5):
        count = thumbnails(page, "pictures").count()
        page.locator("#pictures .delete-button").first.click()
        expect(thumbnails(page, "pictures")).to_have_count(count - 1)
    expect(page.locator("#safe")).to_have_count(0)
