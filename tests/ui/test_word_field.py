"""The field for a word, with real keys: what was typed wins, and nothing is chosen unseen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lora_demo.ui.steps.word_field import MAX_LETTERS
from tests.support.hostile_adapters import MARKUP
from tests.support.visitor import DRAWINGS, drop, thumbnails
from tests.support.windows import new_window
from tests.support.wire import join, page_events, upload


@pytest.fixture
def field(page: Page):
    return with_pictures(page)


@pytest.fixture(scope="module")
def used_page(browser: Browser, app_url: str) -> Iterator[Page]:
    """One for a whole table: the field is emptied before each row."""
    with new_window(browser, app_url) as window:
        page = window.new_page()
        page.goto(app_url)
        with_pictures(page)
        yield page


def with_pictures(page: Page):
    """The field of a page that waits for nothing but a word."""
    drop(page, "pictures", DRAWINGS)
    expect(page.get_by_text("5 pictures. What do they show?")).to_be_visible()
    return page.locator("#class-name input")


def options(page: Page):
    return page.locator("#class-name").get_by_role("option")


def expect_committed(page: Page, word: str) -> None:
    """In the field, with the list closed, and with the app, which answers with the word."""
    field = page.locator("#class-name input")
    expect(field).to_have_value(word)
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(options(page)).to_have_count(0)
    expect(page.locator("#lesson-status")).to_contain_text(f"“{word}”")


TYPED = {
    "a new word that begins a known one": ("cat", "Enter", "cat"),
    "a new word that ends a known one": ("pen", "Enter", "pen"),
    "a new word within a known one": ("tree", "Enter", "tree"),
    "one of several words of a known one": ("car", "Enter", "car"),
    "a known word": ("goldfish", "Enter", "goldfish"),
    "in capitals": ("GOLDFISH", "Enter", "goldfish"),
    "with underscores and spaces": ("  golden_retriever ", "Enter", "golden retriever"),
    "two that differ by case, small": ("cardigan", "Enter", "cardigan"),
    "two that differ by case, large": ("Cardigan", "Enter", "Cardigan"),
    "half a word": ("golden ret", "Enter", "golden ret"),
    "the second option": ("golden ret", "ArrowDown ArrowDown Enter", "golden retriever"),
    "the last option": ("cat", "ArrowUp Enter", "polecat"),
    "down and back up to the text": ("cat", "ArrowDown ArrowUp Enter", "cat"),
    "once around": ("golden ret", "ArrowDown ArrowDown ArrowDown Enter", "golden ret"),
    "End and Home": ("cat", "ArrowDown End Home Enter", "cat"),
    "End": ("cat", "ArrowDown End Enter", "polecat"),
    "a page on": ("cat", "ArrowDown PageDown Enter", "catamaran"),
    "a page on and back": ("cat", "ArrowDown PageDown PageUp Enter", "cat"),
    "a letter more after the arrow": ("cat", "ArrowDown ArrowDown s Enter", "cats"),
    "the caret moved after the arrow": ("cat", "ArrowDown ArrowDown ArrowLeft Enter", "cat"),
    "Tab": ("cat", "Tab", "cat"),
    "Tab after the arrow": ("cat", "ArrowDown ArrowDown Tab", "cat"),
    "closed with Alt and Up": ("cat", "ArrowDown ArrowDown Alt+ArrowUp Enter", "cat"),
    "Arabic": ("سمكة", "Enter", "سمكة"),
    "a letter of two code points": ("ﬁsh", "Enter", "fish"),
    "markup": ("<b>cat</b>", "Enter", "<b>cat</b>"),
    "what looks like a script": ("<script>1</script>", "Enter", "<script>1</script>"),
}


@pytest.mark.parametrize(("typed", "keys", "word"), TYPED.values(), ids=TYPED)
def test_what_was_typed_wins(used_page, typed, keys, word):
    field = used_page.locator("#class-name input")
    field.fill("")
    field.press("Tab")
    expect(used_page.get_by_text("5 pictures. What do they show?")).to_be_visible()

    field.press_sequentially(typed)
    for key in keys.split():
        used_page.keyboard.press(key)

    expect_committed(used_page, word)


LISTED = {
    "cat": [
        "“cat” as a new word",
        *("Egyptian cat", "Madagascar cat", "Persian cat", "Siamese cat", "tiger cat"),
        *("catamaran", "polecat"),
    ],
    "tree": ["“tree” as a new word", "tree frog"],
    "pen": [
        "“pen” as a new word",
        *("fountain pen", "pencil box", "pencil sharpener", "king penguin"),
    ],
    "Goldfish": ["goldfish"],
    "cardigan": ["cardigan", "Cardigan"],
    "shih tzu": ["“shih tzu” as a new word", "Shih-Tzu"],
    "girl": ["“girl” as a new word"],
    "<b>qu</b>": ["“<b>qu</b>” as a new word"],
    "!": ["“!” as a new word"],
}


@pytest.mark.parametrize(("typed", "listed"), LISTED.items(), ids=LISTED)
def test_what_fits_best_is_listed_first(used_page, typed, listed):
    field = used_page.locator("#class-name input")
    field.fill("")
    field.press_sequentially(typed)

    expect(options(used_page)).to_have_text(listed)
    found = len([text for text in listed if "as a new word" not in text])
    told = used_page.locator("#class-name [role=status]")
    expect(told).to_have_text(f"Words found: {found}.")


def test_a_click_on_an_option_takes_it(page, field):
    field.press_sequentially("golden")
    options(page).get_by_text("golden retriever").click()

    expect_committed(page, "golden retriever")
    expect(field).to_be_focused()


def test_a_tap_takes_it_and_options_are_as_large_as_a_thumb(browser, app_url):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with new_window(browser, app_url, **phone) as window:
        page = window.new_page()
        page.goto(app_url)
        page.locator("#class-name input").tap()
        page.keyboard.type("golden")
        expect(options(page)).to_have_count(2)
        assert min(option.bounding_box()["height"] for option in options(page).all()) >= 44
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

        options(page).get_by_text("golden retriever").tap()

        expect(page.locator("#class-name input")).to_have_value("golden retriever")
        expect(page.locator("#class-name input")).not_to_be_focused()  # the keyboard is put away


def test_the_pointer_that_lies_where_the_list_opens_chooses_nothing(page, field):
    box = field.bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + box["height"] + 80)
    field.press_sequentially("cat")
    page.mouse.move(box["x"] + 31, box["y"] + box["height"] + 81)
    page.keyboard.press("Enter")

    expect_committed(page, "cat")


def test_escape_brings_the_word_back(page, field):
    field.press_sequentially("goldfish")
    field.press("Enter")
    field.press_sequentially(" and more")
    expect(options(page)).not_to_have_count(0)
    field.press("Escape")

    expect_committed(page, "goldfish")


def test_a_word_is_replaced_by_a_click_and_the_next_one(page, field):
    field.press_sequentially("goldfish")
    field.press("Tab")
    expect_committed(page, "goldfish")
    field.click()
    page.keyboard.type("snail")
    page.keyboard.press("Enter")

    expect_committed(page, "snail")


def test_a_click_beside_takes_what_was_typed(page, field):
    field.press_sequentially("cat")
    page.get_by_role("heading", name="Show it some pictures").click()

    expect_committed(page, "cat")


def test_an_emptied_field_is_no_word(page, field):
    field.press_sequentially("cat")
    field.press("Enter")
    expect_committed(page, "cat")
    field.press("ControlOrMeta+a")
    field.press("Backspace")
    field.press("Tab")

    expect(page.get_by_text("5 pictures. What do they show?")).to_be_visible()
    page.locator("#train").click()
    expect(page.locator(".note-bad")).to_contain_text("What do the pictures show?")


def test_all_words_can_be_looked_through(page, field):
    field.click()
    expect(options(page)).to_have_count(1000)
    expect(options(page).first).to_be_in_viewport()
    page.keyboard.press("ArrowUp")
    expect(options(page).last).to_be_in_viewport()
    page.keyboard.press("Enter")

    expect_committed(page, "zucchini")


def test_enter_within_a_word_that_is_still_being_composed_does_not_take_it(page, field):
    """As with Japanese or Pinyin keyboards, through which Enter takes a suggestion of theirs."""
    field.focus()
    tools = page.context.new_cdp_session(page)
    tools.send("Input.imeSetComposition", {"text": "さか", "selectionStart": 2, "selectionEnd": 2})
    enter = {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    tools.send("Input.dispatchKeyEvent", enter)
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_text("5 pictures. What do they show?")).to_be_visible()

    tools.send("Input.insertText", {"text": "さかな"})
    field.press("Enter")

    expect_committed(page, "さかな")


@pytest.mark.parametrize("act", ["click", "keys", "script"])
def test_a_word_typed_just_before_train_is_what_it_learns(page, field, act):
    field.press_sequentially("cat")
    if act == "click":
        page.locator("#train").click()
    elif act == "keys":
        page.locator("#train").press("Enter")
    else:  # as help for hands that hold no mouse may press it
        page.locator("#train").evaluate("button => button.click()")

    expect(page.get_by_text("Done!")).to_be_visible(timeout=30_000)
    expect(page.locator(".note-good")).to_contain_text("“cat”")


def test_a_set_brings_its_word_and_all_of_them_none(page):
    field = page.locator("#class-name input")
    field.press_sequentially("cat")  # and leave it so
    page.get_by_role("button", name="Snail", exact=True).click()
    expect(thumbnails(page, "pictures")).to_have_count(5)
    expect_committed(page, "snail")

    page.get_by_role("button", name="All of them").click()
    expect(thumbnails(page, "pictures")).to_have_count(15)
    expect(field).to_have_value("")


@pytest.mark.parametrize("word", ["my mug", "سمكة", "<script>alert(1)</script>"])
def test_a_reload_brings_the_word_back(page, field, word):
    field.press_sequentially(word)
    field.press("Enter")
    expect_committed(page, word)
    page.wait_for_timeout(500)  # an event under way would end as an error in the console

    page.reload()

    expect(page.get_by_text("Welcome back.")).to_be_visible()
    expect_committed(page, word)


def test_the_list_tells_a_screen_reader_what_is_highlighted(page):
    field = page.get_by_role("combobox", name="What do the pictures show?")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press_sequentially("cat")
    expect(field).to_have_attribute("aria-expanded", "true")
    assert field.get_attribute("aria-controls") == page.get_by_role("listbox").get_attribute("id")
    assert field.get_attribute("aria-activedescendant") is None

    field.press("ArrowDown")
    field.press("ArrowDown")

    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_have_text("Egyptian cat")
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")


def test_a_word_is_sent_once_and_not_with_every_key(page, field):
    sent = []
    page.on("request", lambda r: sent.append(r.post_data) if "queue/join" in r.url else None)
    field.press_sequentially("goldfish")
    page.wait_for_timeout(300)
    assert sent == []
    field.press("Enter")
    expect_committed(page, "goldfish")
    events = len(sent)
    field.press("Enter")
    field.press("Tab")
    page.wait_for_timeout(300)

    assert len(sent) == events <= 2  # what is said of it, and kept of it


FORGED = {
    "a list": ["goldfish"],
    "pairs": [["goldfish", 1]],
    "a number": 7,
    "true": True,
    "an object": {"path": "/etc/passwd"},
    "without end": "x" * 300_000,
    "markup": MARKUP,
    "a NUL": "a\0b",
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
@pytest.mark.slow
def test_what_is_no_word_is_answered_in_words(app_url, value):
    """Every event of the page that reads the field, as a forged request would send it."""
    events, components = page_events(app_url)
    field = next(i for i, c in components.items() if c["props"].get("elem_id") == "class-name")
    gallery = next(i for i, c in components.items() if c["props"].get("elem_id") == "pictures")
    picture = {"image": upload(app_url, "1.png", Path(DRAWINGS[0]).read_bytes()), "caption": None}
    session = f"forged-{hash(str(value))}"
    tried = 0
    for event in events:
        if not (event["backend_fn"] and field in event["inputs"]):
            continue
        given = {field: value, gallery: [picture]}
        data = [given.get(i, components[i]["props"].get("value")) for i in event["inputs"]]
        answer = join(app_url, event, data, session)
        assert answer["success"] or answer["output"]["error"].endswith("."), answer
        assert len(str(answer)) < 15_000 + 10 * MAX_LETTERS  # 15 pictures of ours, not 300 kB
        tried += 1
    assert tried >= 4
