"""A visitor's work survives a reload, is nobody else's, and goes at once when it is to go."""

import re
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from playwright.sync_api import expect

from lora_demo.backbones import features as features_room
from lora_demo.backbones.features import read_features
from tests.support.visitor import (
    DRAWINGS,
    SECRET,
    begin_long_training,
    drop,
    forget,
    leave_alone,
    set_number,
    teach,
    thumbnails,
    train,
)


def test_a_reload_brings_everything_back(window):
    page = window()
    leave_alone(page, DRAWINGS[:1])
    expect(thumbnails(page, "alone")).to_have_count(1)
    page.get_by_text("More settings").click()
    set_number(page, "seed", "7")
    teach(page, "Snail")
    parts = ("#loss figcaption", "#tested .note", "#results tbody")
    parts += ("#comparison .compare", "#broken .note")  # less Gradio's marks of what is under way
    before = {part: page.locator(part).first.inner_text() for part in parts}
    assert "it left" in before["#tested .note"]

    page.reload()

    expect(page.get_by_text("Welcome back.")).to_be_visible()
    expect(page.get_by_text("What you had started")).to_have_count(0)  # its end was seen
    expect(page.get_by_text("150 rounds with 5 pictures and 1 of other things")).to_be_visible()
    expect(thumbnails(page, "pictures")).to_have_count(5)
    page.get_by_role("button", name="None of these: pictures").click()
    expect(thumbnails(page, "alone")).to_have_count(1)
    expect(page.locator("#class-name input")).to_have_value("snail")
    page.get_by_text("More settings").click()
    expect(page.locator("#seed input")).to_have_value("7")
    expect(page.locator("#save")).to_be_visible()
    for part, text in before.items():
        expect(page.locator(part).first).to_have_text(text, use_inner_text=True)
    train(page)  # and it goes on from there
    expect(page.locator("#results tbody tr")).to_have_count(2)


def test_a_training_goes_on_while_the_page_is_away_and_says_so(window):
    page = window()
    begin_long_training(page)

    page.reload()

    expect(page.get_by_text("went on meanwhile, and still does")).to_be_visible()
    expect(page.get_by_text("Practising")).to_be_visible()
    expect(page.locator("#stop")).to_be_visible()
    page.locator("#stop").click()
    expect(page.get_by_text("Stopped; what was learned is kept")).to_be_visible()
    expect(page.locator("#save")).to_be_visible()


def test_a_connection_that_was_lost_brings_the_work_back(window):
    page = window()
    teach(page, "Goldfish")

    page.context.set_offline(True)
    page.locator("#train").click()
    expect(page.get_by_text("Connection to the server was lost")).to_be_visible(timeout=30_000)
    page.context.set_offline(False)

    expect(page.get_by_text("Welcome back.")).to_be_visible(timeout=30_000)
    expect(page.locator("#results tbody tr")).to_have_count(1)


def test_visitors_do_not_see_each_other(window):
    first, second = window(), window()
    teach(first, "Goldfish")
    teach(second, "Teapot")

    assert first.evaluate(SECRET) != second.evaluate(SECRET)
    for page, own, other in ((first, "goldfish", "teapot"), (second, "teapot", "goldfish")):
        page.reload()
        expect(page.get_by_text("Welcome back.")).to_be_visible()
        expect(page.locator("#class-name input")).to_have_value(own)
        expect(page.locator("#results tbody tr")).to_have_count(1)
        expect(page.locator("#comparison .answers.lora li").first).to_contain_text(own)
        assert not re.search(rf"“{other}”", page.locator("body").inner_text())


@pytest.mark.parametrize("secret", ["guess", "x" * 43, "'; --", "../../etc/passwd"])
def test_a_guessed_secret_finds_nobody(window, secret):
    page = window()
    page.evaluate(f"sessionStorage.setItem('lora-demo', {secret!r})")
    page.reload()

    expect(page.get_by_text("What you did here before is gone")).to_be_visible()
    page.wait_for_function(f"{SECRET} !== {secret!r}")
    assert len(page.evaluate(SECRET)) == 43


def on_disk() -> set[bytes]:
    files = [p for p in Path(get_upload_folder()).rglob("*") if p.is_file()]
    return {p.read_bytes() for p in files}


def test_forgetting_deletes_at_once_and_from_disk(window, model, tmp_path):
    own = []
    for number, source in enumerate(DRAWINGS[:3]):
        own.append(tmp_path / f"own{number}.png")
        own[-1].write_bytes(Path(source).read_bytes() + b"mine")
    page, other = window(), window()
    drop(page, "pictures", [str(path) for path in own])
    drop(other, "pictures", [str(own[2])])
    for visitor, count in ((page, 3), (other, 1)):
        expect(thumbnails(visitor, "pictures")).to_have_count(count)
        visitor.locator("#class-name input").fill("goldfish")
        visitor.locator("#class-name input").press("Enter")
        train(visitor)
        expect(visitor.get_by_text("A fair test")).to_be_visible()
    expect(page.locator("#save")).to_be_visible()
    kept, shared = [path.read_bytes() for path in own[:2]], own[2].read_bytes()
    assert on_disk() >= {*kept, shared}
    secret = page.evaluate(SECRET)
    loras = list(Path(get_upload_folder()).rglob("lora-goldfish.safetensors"))

    forget(page)

    expect(page.get_by_text("Forgotten: your pictures")).to_be_visible()
    expect(thumbnails(page, "pictures")).to_have_count(0)
    assert on_disk() & {*kept, shared} == {shared}  # of another visitor, who sent the same picture
    assert len([path for path in loras if path.exists()]) < len(loras)
    ran = []
    with pytest.MonkeyPatch.context() as patch:
        compute = features_room._compute
        patch.setattr(features_room, "_compute", lambda *a: ran.append(1) or compute(*a))
        for path in own:
            read_features(model, path)
    assert len(ran) == 3  # of these nothing was in memory any more
    page.evaluate(f"sessionStorage.setItem('lora-demo', {secret!r})")
    page.reload()
    expect(page.get_by_text("What you did here before is gone")).to_be_visible()
