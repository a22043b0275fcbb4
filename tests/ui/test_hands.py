"""Pictures as people bring them: dropped anywhere, pasted, from a camera, over a bad line."""

import re
import threading
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import DATA
from tests.support.hands import drop_files, hover_files
from tests.support.visitor import DRAWINGS, choose_class, forget, thumbnails
from tests.support.windows import new_window


@pytest.fixture
def page(page: Page) -> Page:
    """The page when it is built; what is dropped before is tested on its own."""
    expect(thumbnails(page, "trial")).to_have_count(5)
    expect(page.get_by_role("button", name="Add pictures")).to_have_count(2)
    return page


UPLOAD = "**/gradio_api/upload*"


def tray(page: Page, name: str):
    return page.locator(f"#{name}-tray")


def test_a_drop_before_the_page_is_built_is_kept(browser: Browser, app_url: str):
    with new_window(browser, app_url) as context:
        page = context.new_page()
        page.goto(app_url, wait_until="commit")
        page.wait_for_function("window.trays")
        hover_files(page, DRAWINGS[:2], 300, 60, end="drop")

        expect(thumbnails(page, "pictures").or_(thumbnails(page, "trial"))).to_have_count(7)
        assert len(context.pages) == 1


def test_a_second_drop_joins_the_first(page):
    drop_files(page, DRAWINGS[:2], tray(page, "pictures"))
    expect(thumbnails(page, "pictures")).to_have_count(2)
    drop_files(page, DRAWINGS[2:], thumbnails(page, "pictures").first)

    expect(thumbnails(page, "pictures")).to_have_count(5)
    expect(page.get_by_text("5 pictures. What do they show?")).to_be_visible()


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("h1", "pictures"),
        ("#class-name", "pictures"),
        ("#train", "pictures"),
        ("#trial .thumbnail-item >> nth=0", "trial"),
        ("#strength", "trial"),
        ("#forget-all", "trial"),
    ],
    ids=["heading", "word", "Train", "thumbnail", "dial", "foot of the page"],
)
def test_a_drop_anywhere_lands_in_the_nearest_tray(page, place, name):
    there = thumbnails(page, name).count()
    drop_files(page, DRAWINGS[:2], page.locator(place).first)

    expect(thumbnails(page, name)).to_have_count(there + 2)
    assert len(page.context.pages) == 1
    expect(page.locator("h1")).to_be_visible()  # the page was not left


def test_the_nearest_tray_lights_up_while_pictures_hover(page):
    lit = page.locator(".tray-lit")
    hover_files(page, DRAWINGS[:1], 300, 60)
    expect(lit).to_have_id("pictures-tray")
    page.locator("#comparison").scroll_into_view_if_needed()
    box = page.locator("#comparison").bounding_box()
    hover_files(page, DRAWINGS[:1], box["x"] + 5, box["y"] + 5)
    expect(lit).to_have_id("trial-tray")
    expect(lit).to_have_count(1)
    hover_files(page, DRAWINGS[:1], box["x"] + 5, box["y"] + 5, end="drop")

    expect(lit).to_have_count(0)


def test_a_dropped_picture_is_tried_at_once(page):
    drop_files(page, DRAWINGS[:1], page.locator("#comparison"))

    expect(thumbnails(page, "trial")).to_have_count(6)
    expect(page.locator("#chosen img")).to_be_visible()
    expect(page.locator("#comparison .answers.frozen li")).to_have_count(5)


@pytest.fixture
def folder(tmp_path):
    """A folder as people have it: with files of the system, a text, and a folder inside."""
    inside = tmp_path / "my fish" / "2025 - summer"
    inside.mkdir(parents=True)
    for number, drawing in enumerate(DRAWINGS):
        place = inside if number > 2 else inside.parent
        (place / f"{number}.png").write_bytes((DATA / drawing).read_bytes())
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "notes.txt"):
        (inside.parent / name).write_bytes(b"\x00no picture")
    return inside.parent


def test_a_dropped_folder_gives_its_pictures(page, folder):
    drop_files(page, [folder], tray(page, "pictures"))

    expect(thumbnails(page, "pictures")).to_have_count(5)
    expect(page.get_by_text("5 pictures. What do they show?")).to_be_visible()
    expect(tray(page, "pictures").locator(".note")).to_have_count(0)


def test_a_pasted_picture_joins_the_tray_that_was_used_last(page):
    tray(page, "trial").locator(".door-hint").click()
    page.evaluate(
        """async () => {
          const canvas = document.createElement("canvas");
          const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([blob], "image.png", {type: "image/png"}));
          document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}));
        }"""
    )

    expect(thumbnails(page, "trial")).to_have_count(6)
    expect(thumbnails(page, "pictures")).to_have_count(0)


def test_train_waits_for_pictures_on_their_way(page):
    held: list[Route] = []
    let_go = threading.Event()
    page.route(UPLOAD, lambda r: r.continue_() if let_go.is_set() else held.append(r))
    choose_class(page, "goldfish")
    drop_files(page, DRAWINGS, tray(page, "pictures"))
    expect(page.get_by_text("0 of 5 pictures have arrived")).to_be_visible()

    page.locator("#train").click()
    expect(page.get_by_text("Training begins when all pictures are here")).to_be_visible()
    expect(page.get_by_text("There are no pictures yet")).to_have_count(0)
    let_go.set()
    for route in held:
        route.continue_()

    expect(page.get_by_text(re.compile("Done! .* with 5 pictures"))).to_be_visible(timeout=30_000)


def test_what_did_not_arrive_is_named_and_sent_again(browser: Browser, app_url: str):
    cut = ["net::ERR_FAILED"]  # how the console names the requests that are cut
    with new_window(browser, app_url, cut) as context:
        page = context.new_page()
        page.goto(app_url)
        page.route(
            UPLOAD,
            lambda route: (
                route.abort() if b"4.png" in route.request.post_data_buffer else route.continue_()
            ),
        )
        choose_class(page, "goldfish")
        drop_files(page, DRAWINGS, tray(page, "pictures"))
        expect(page.get_by_text("1 picture did not arrive: “4.png”")).to_be_visible()
        expect(thumbnails(page, "pictures")).to_have_count(4)
        page.locator("#train").click()  # it tells first
        expect(page.get_by_text("1 picture did not arrive")).to_be_in_viewport()
        expect(page.get_by_text("Practising")).to_have_count(0)

        page.unroute(UPLOAD)
        page.get_by_role("button", name="Send again").click()

        expect(thumbnails(page, "pictures")).to_have_count(5)
        expect(page.get_by_text("did not arrive")).to_have_count(0)


def test_an_oversize_file_is_named_and_the_others_go_on(page, tmp_path):
    big = tmp_path / "holiday.png"
    with big.open("wb") as file:
        file.truncate(49 * 2**20)
    drop_files(page, [*DRAWINGS[:3], big], tray(page, "pictures"))

    expect(thumbnails(page, "pictures")).to_have_count(3)
    expect(page.get_by_text("“holiday.png” has 49 MB; 15 MB is the most")).to_be_visible()


def test_without_a_camera_its_button_is_not_there(browser: Browser, app_url: str):
    with new_window(browser, app_url) as context:
        context.add_init_script(  # what a page has on plain http
            "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});"
            "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        )
        page = context.new_page()
        page.goto(app_url)

        for button in ("Camera", "Paste"):
            expect(page.get_by_role("button", name="Add pictures").first).to_be_visible()
            expect(page.get_by_role("button", name=button)).to_have_count(0)


def test_a_camera_that_is_refused_is_explained_and_loses_nothing(page):
    drop_files(page, DRAWINGS, tray(page, "pictures"))
    expect(thumbnails(page, "pictures")).to_have_count(5)
    page.get_by_role("button", name="Camera").first.click()

    expect(tray(page, "pictures").locator(".note-warn")).to_contain_text("camera")
    expect(thumbnails(page, "pictures")).to_have_count(5)


def test_a_camera_takes_pictures(browser: Browser, app_url: str):
    with new_window(browser, app_url, permissions=["camera"]) as context:
        page = context.new_page()
        page.goto(app_url)
        page.get_by_role("button", name="Camera").first.click()
        shoot = page.get_by_role("button", name="Take the picture")
        for count in (1, 2):
            expect(shoot).to_be_visible()
            shoot.click()
            expect(thumbnails(page, "pictures")).to_have_count(count)
        page.get_by_role("button", name="Close the camera").click()

        expect(shoot).to_be_hidden()
        expect(thumbnails(page, "pictures")).to_have_count(2)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_what_train_causes_is_in_view(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.get_by_role("button", name="Goldfish", exact=True).click()
    expect(page.get_by_text("Ready: 5 pictures")).to_be_visible()
    page.locator("#train").click()

    for text in ("Done!", "A fair test:"):
        expect(page.get_by_text(text)).to_be_in_viewport(ratio=0.99, timeout=30_000)
    expect(page.locator("#loss svg polyline")).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_answers_to_a_tapped_picture_are_in_view(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    thumbnails(page, "trial").nth(1).click()

    expect(page.locator("#chosen img")).to_be_in_viewport(ratio=0.99)
    expect(page.locator("#comparison .answers.frozen li").first).to_be_in_viewport(ratio=0.99)


def test_a_file_that_is_shown_as_a_copy_is_forgotten_with_it(page, tmp_path):
    phone = tmp_path / "1000012345"  # as Android hands files out
    phone.write_bytes(Path(DRAWINGS[0]).read_bytes() + b"mine")
    text = tmp_path / "photo.png"
    text.write_bytes(b"no picture, and mine")
    drop_files(page, [phone, text], tray(page, "pictures"))
    expect(page.get_by_text("“photo.png” is not a picture")).to_be_visible()
    expect(thumbnails(page, "pictures")).to_have_count(1)
    uploads = Path(get_upload_folder())
    mine = {p.name for p in uploads.rglob("*") if p.is_file() and p.read_bytes()[-4:] == b"mine"}
    assert mine == {"1000012345", "1000012345.png", "photo.png"}

    forget(page)
    expect(page.get_by_text("Forgotten: your pictures")).to_be_visible()

    assert not [p for p in uploads.rglob("*") if p.is_file() and p.read_bytes()[-4:] == b"mine"]
