"""What is shown belongs to the lesson, the tab and the visitor that it is said to belong to."""

from playwright.sync_api import Page, expect

from tests.test_page import thumbnails
from tests.test_visitors import SECRET, teach

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

    page.reload(wait_until="commit")
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
