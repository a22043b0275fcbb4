"""What is shown belongs to the lesson, the tab and the visitor that it is said to belong to."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.hands import drop_files
from tests.support.visitor import (
    DRAWINGS,
    SECRET,
    begin_long_training,
    forget,
    load_goldfish_for,
    teach,
    thumbnails,
    train,
)

TAUGHT = "#comparison .answers.lora li"


def copy_of(page: Page) -> Page:
    """What "Duplicate" does: another tab, with a copy of all that the first one keeps."""
    with page.expect_popup() as popup:
        page.evaluate("window.open(location.href)")
    popup.value.wait_for_load_state()
    return popup.value


def test_a_duplicated_tab_is_another_visitor(window):
    first = window()
    teach(first, "Goldfish")
    second = copy_of(first)
    expect(second.get_by_text("You teach EfficientNet-Lite0")).to_be_visible(timeout=30_000)
    expect(second.get_by_text("Add pictures in step 1 to begin")).to_be_visible()
    expect(second.locator("#greeting")).to_be_empty()
    teach(second, "Snail")

    assert first.evaluate(SECRET) != second.evaluate(SECRET)
    for page, own in ((first, "goldfish"), (second, "snail"), (first, "goldfish")):
        thumbnails(page, "trial").nth(1).click()
        thumbnails(page, "trial").nth(0).click()
        expect(page.locator(TAUGHT).first).to_contain_text(own)
        with page.expect_download() as download:
            page.locator("#save").click()
        assert download.value.suggested_filename == f"lora-{own}.safetensors"
        assert download.value.failure() is None
    for page, own in ((first, "goldfish"), (second, "snail")):
        page.reload()
        expect(page.get_by_text("Welcome back.")).to_be_visible()
        expect(page.locator("#class-name input")).to_have_value(own)
        expect(page.locator(TAUGHT).first).to_contain_text(own)


def test_two_quick_reloads_and_the_way_back_bring_the_work_back(window, app_url):
    page = window()
    teach(page, "Goldfish")
    secret = page.evaluate(SECRET)

    page.reload(wait_until="domcontentloaded")
    page.reload()
    expect(page.get_by_text("Welcome back.")).to_be_visible()
    page.goto(f"{app_url}healthz")
    page.go_back()

    expect(page.get_by_text("Welcome back.")).to_be_visible()
    expect(page.locator("#class-name input")).to_have_value("goldfish")
    assert page.evaluate(SECRET) == secret
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.failure() is None


def test_a_copy_of_a_tab_that_is_closed_takes_its_work(window):
    """As a browser does that opens a closed tab again."""
    first = window()
    teach(first, "Goldfish")
    secret = first.evaluate(SECRET)
    other = first.context.new_page()
    other.goto(first.url)
    first.close()
    other.evaluate(f"sessionStorage.setItem('lora-demo', {secret!r})")
    other.reload()

    expect(other.get_by_text("Welcome back.")).to_be_visible()
    assert other.evaluate(SECRET) == secret


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """Pictures that are in none of our sets."""
    paths = [tmp_path / f"mine{number}.png" for number in range(3)]
    for path, source in zip(paths, DRAWINGS, strict=False):
        path.write_bytes(Path(source).read_bytes() + b"of a lesson")
    return [str(path) for path in paths]


def type_word(page: Page, word: str) -> None:
    box = page.locator("#class-name input")
    box.fill("")
    box.press_sequentially(word)
    box.press("Enter")


def load_set(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#class-name input")).to_have_value(name.lower())
    expect(page.locator("#lesson-status")).to_contain_text(f"5 pictures of “{name.lower()}”")


def sources(page: Page) -> list[str]:
    return [image.get_attribute("src") for image in page.locator("#pictures img").all()]


def add_own(page: Page, own: list[str], word: str) -> list[str]:
    drop_files(page, own, page.locator("#pictures-tray"))
    expect(thumbnails(page, "pictures")).to_have_count(len(own))
    type_word(page, word)
    expect(page.locator("#lesson-status")).to_contain_text(f"{len(own)} pictures of “{word}”")
    return sources(page)


def test_own_pictures_and_their_word_come_back_after_a_set_took_their_place(page, own):
    before = add_own(page, own, "my fish")
    undo = page.locator("#undo")
    expect(undo).to_have_text("")

    load_set(page, "Goldfish")
    expect(undo).to_contain_text("Your 3 pictures were replaced.")
    load_set(page, "Snail")  # our own set is nothing to be lost
    expect(undo).to_contain_text("Your 3 pictures were replaced.")
    undo.get_by_role("button", name="Bring them back").press("Enter")

    expect(thumbnails(page, "pictures")).to_have_count(3)
    expect(page.locator("#class-name input")).to_have_value("my fish")
    expect(page.locator("#lesson-status")).to_contain_text("3 pictures of “my fish”")
    expect(undo).to_have_text("")
    assert sources(page) == before


def test_what_was_replaced_comes_back_after_a_reload_too(window, own):
    page = window()
    before = add_own(page, own, "my fish")
    page.get_by_role("button", name="All of them").click()
    expect(thumbnails(page, "pictures")).to_have_count(15)
    expect(page.locator("#undo")).to_contain_text("Your 3 pictures were replaced.")

    page.reload()
    page.get_by_role("button", name="Bring them back").click()

    expect(thumbnails(page, "pictures")).to_have_count(3)
    expect(page.locator("#class-name input")).to_have_value("my fish")
    assert sources(page) == before


def test_one_own_work_does_not_push_another_out(page, own):
    add_own(page, own[:2], "my fish")
    load_set(page, "Goldfish")
    drop_files(page, own[2:], page.locator("#pictures-tray"))
    expect(thumbnails(page, "pictures")).to_have_count(6)
    back = page.get_by_role("button", name="Bring them back")

    page.get_by_role("button", name="Teapot", exact=True).click()
    expect(page.locator("#undo")).to_contain_text("Your 6 pictures were replaced.")
    for count, word in [(6, "goldfish"), (2, "my fish"), (6, "goldfish")]:
        back.click()
        expect(thumbnails(page, "pictures")).to_have_count(count)
        expect(page.locator("#class-name input")).to_have_value(word)


def test_pictures_that_a_slip_took_out_come_back(page, own):
    before = add_own(page, own, "my fish")
    page.locator("#pictures .delete-button").nth(1).click()
    expect(page.locator("#undo")).to_contain_text("You took 1 picture out.")
    expect(thumbnails(page, "pictures")).to_have_count(2)

    page.get_by_role("button", name="Bring them back").click()

    expect(thumbnails(page, "pictures")).to_have_count(3)
    expect(page.locator("#undo")).to_have_text("")
    assert sources(page) == before


def test_own_pictures_to_try_stay_when_a_set_comes(page, own):
    drop_files(page, own[:1], page.locator("#trial-tray"))
    expect(thumbnails(page, "trial")).to_have_count(6)
    own_source = page.locator("#trial img").last.get_attribute("src")

    for name in ("Goldfish", "Snail"):
        load_set(page, name)
        expect(page.locator("#trial .caption-label").first).to_contain_text("new")
        expect(page.locator("#trial img").last).to_have_attribute("src", own_source)
    assert page.locator(f'#trial img[src="{own_source}"]').count() == 1


def test_to_forget_takes_two_acts_by_keyboard_too(page, own):
    add_own(page, own, "my fish")
    expect(page.locator("#forget")).to_be_hidden()
    page.get_by_role("button", name="Forget my pictures").press("Enter")
    expect(page.get_by_text("It cannot be undone")).to_be_visible()
    expect(thumbnails(page, "pictures")).to_have_count(3)
    page.wait_for_timeout(1500)  # an event under way would end as an error in the console

    page.keyboard.press("Tab")
    expect(page.locator("#forget")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_text("Forgotten: your pictures")).to_be_visible()
    expect(thumbnails(page, "pictures")).to_have_count(0)


IN_USE = ("#comparison", "#broken", "[data-lora]")  # steps 4, 5 and 7


def test_a_result_is_of_its_own_lesson(window):
    page = window()
    teach(page, "Goldfish")
    earlier, status = page.locator("#earlier"), page.locator("#lesson-status")
    expect(earlier).to_have_text("")

    load_set(page, "Snail")
    expect(status).to_contain_text("Ready: 5 pictures of “snail”")
    expect(earlier).to_contain_text("Your last training: goldfish.")
    for part in IN_USE:
        expect(page.locator(part)).to_contain_text("taught")
        expect(page.locator(part)).to_contain_text("goldfish")
    page.reload()
    expect(status).to_contain_text("Ready: 5 pictures of “snail”")
    expect(earlier).to_contain_text("Your last training: goldfish.")

    page.get_by_role("button", name="Goldfish", exact=True).click()  # the change is undone
    expect(status).to_contain_text("Done!")
    expect(earlier).to_have_text("")
    type_word(page, "my fish")
    expect(status).to_contain_text("Ready: 5 pictures of “my fish”")
    expect(earlier).to_contain_text("Your last training: goldfish.")

    train(page)
    expect(earlier).to_have_text("")
    expect(page.get_by_text("A fair test")).to_be_visible()
    for part in IN_USE:
        expect(page.locator(part)).to_contain_text("my fish")


def test_pictures_that_change_during_a_training_do_not_hide_it(page):
    begin_long_training(page)
    page.get_by_role("button", name="Snail", exact=True).click()
    expect(page.locator("#class-name input")).to_have_value("snail")
    expect(page.locator("#earlier")).to_contain_text("Your last training: goldfish.")
    expect(page.locator("#lesson-status")).to_contain_text("Practising")

    page.locator("#stop").click()

    expect(page.locator("#lesson-status")).to_contain_text("Ready: 5 pictures of “snail”")
    expect(page.locator("#earlier")).to_contain_text("Your last training: goldfish.")
    expect(page.locator("#train")).to_be_visible()


def test_the_safe_recipe_is_offered_only_where_it_can_be_trained(page, tmp_path):
    load_goldfish_for(page, "Plain LoRA on the last layer")
    train(page)
    safe, file = page.locator("#safe"), tmp_path / "lora-goldfish.safetensors"
    expect(safe).to_be_visible()
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(file)
    forget(page)
    expect(page.get_by_text("Forgotten: your pictures")).to_be_visible()

    page.get_by_test_id("Load a LoRA file-upload-button").set_input_files(str(file))
    expect(page.locator("#broken")).to_contain_text("and it broke something that it knew")
    expect(page.get_by_text("Forgotten: your pictures")).to_have_count(0)  # a LoRA is here again
    expect(safe).to_have_count(0)
    load_set(page, "Snail")
    expect(safe).to_have_count(0)
    load_set(page, "Goldfish")
    safe.click()

    expect(page.locator("#results tbody tr")).to_have_count(1)
    expect(page.locator("#results tbody tr")).to_contain_text("Keep old knowledge")
    expect(page.get_by_text("“lora-goldfish.safetensors” is loaded")).to_have_count(0)
    expect(safe).to_have_count(0)


@pytest.mark.parametrize("act", ["Train", "Snail", "Run the lab"])
def test_the_welcome_goes_with_what_comes_next(window, act):
    page = window()
    load_set(page, "Goldfish")
    page.reload()
    welcome = page.get_by_text("Welcome back. Here again: your pictures.")
    expect(welcome).to_be_visible()
    expect(page.locator("#lesson-status")).to_contain_text("Ready: 5 pictures of “goldfish”")

    page.get_by_role("button", name=act, exact=True).click()

    expect(welcome).to_have_count(0)
