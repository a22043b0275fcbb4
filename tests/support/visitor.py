"""What a visitor of the page does again and again: bring pictures, choose a word, train."""

from playwright.sync_api import Page, expect

from tests.conftest import DATA

DRAWINGS = [str(path) for path in sorted((DATA / "goldfish").glob("*.png"))]
HELD_OUT = str(DATA / "goldfish" / "held_out" / "2.png")
HELD_OUT_SNAIL = str(DATA / "snail" / "held_out" / "1.png")
SECRET = "sessionStorage.getItem('lora-demo')"


def drop(page: Page, gallery: str, files: list[str]) -> None:
    page.locator(f"#{gallery}-tray .door input[type=file]").set_input_files(files)


def thumbnails(page: Page, gallery: str):
    return page.locator(f"#{gallery} .thumbnail-item")


def leave_alone(page: Page, files: list[str]) -> None:
    page.get_by_role("button", name="None of these: pictures").click()
    drop(page, "alone", files)


def choose_class(page: Page, name: str) -> None:
    box = page.locator("#class-name input")
    box.click()
    box.press_sequentially(name)
    page.get_by_role("option", name=name, exact=True).click()


def train(page: Page) -> None:
    page.locator("#train").click()
    expect(page.get_by_text("Done!")).to_be_visible(timeout=30_000)


def teach(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(thumbnails(page, "pictures")).to_have_count(5)
    train(page)
    expect(page.get_by_text("A fair test")).to_be_visible()
    expect(page.locator("#results tbody tr")).to_have_count(1)


def use_settings(page: Page, **values: str) -> None:
    page.get_by_text("More settings").click()
    expect(page.get_by_label("As in the article")).to_be_visible()
    for elem_id, value in values.items():
        set_number(page, elem_id.replace("_", "-"), value)


def set_number(page: Page, elem_id: str, value: str) -> None:
    field = page.locator(f"#{elem_id} input[type=number]")
    expect(field).not_to_have_value("")  # not before the field has its own value
    field.fill(value)
    field.press("Enter")
    expect(field).to_have_value(value)


def load_goldfish_for(page: Page, recipe: str) -> None:
    page.get_by_role("button", name="Goldfish", exact=True).click()
    expect(thumbnails(page, "pictures")).to_have_count(5)
    use_settings(page)
    page.get_by_label(recipe).check()
    expect(page.locator("#epochs input[type=number]")).to_have_value("100")


def begin_long_training(page: Page) -> None:
    load_goldfish_for(page, "As in the article")
    set_number(page, "epochs", "1000")
    page.locator("#train").click()
    expect(page.get_by_text("Practising")).to_be_visible(timeout=20_000)


def forget(page: Page) -> None:
    page.get_by_role("button", name="Forget my pictures").click()
    page.locator("#forget").click()
