"""The page in the engines of Safari and Firefox, from an app that runs as everybody starts it."""

import shutil
import socket
import sys
from collections.abc import Iterator
from os import environ
from pathlib import Path

import pytest
from selenium.webdriver import Keys

from lora_demo.checkpoints.files import open_adapter
from tests.conftest import DATA
from tests.support.engine_window import PATIENCE, Window
from tests.support.engines import ENGINES, missing, running, screen, soon

DRAWINGS = sorted((DATA / "goldfish").glob("*.png"))
HELD_OUT = DATA / "goldfish" / "held_out" / "2.png"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python app.py`; fails in the end on a traceback in what it said."""
    folder = tmp_path_factory.mktemp("app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "uploads")}
    log, url = folder / "app.log", f"http://127.0.0.1:{port}/"
    with running([sys.executable, "app.py"], log, cwd=DATA.parent, env=environ | settings):
        soon(lambda: "Running on local URL" in log.read_text(), PATIENCE, "the app")
        yield url
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module", params=ENGINES)
def browser(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    lacking = missing(request.param)
    if lacking:
        pytest.skip(f"{request.param} is not on this computer: apt-get install {' '.join(lacking)}")
    home = tmp_path_factory.mktemp(request.param)
    with screen(home) as display, ENGINES[request.param](display, home) as driver:
        driver.set_window_rect(0, 0, 1280, 950)
        yield Window(request.param, driver, display, home)


@pytest.fixture
def window(browser: Window, app: str) -> Iterator[Window]:
    """The app in a new tab; fails in the end on a script error or on a mark of an error."""
    browser.open(app)
    yield browser
    assert browser.went_wrong() == []


def test_the_built_in_story_to_the_file_and_back_after_a_reload(window):
    window.click("button", "Goldfish")
    window.sees_pictures(5, "pictures")
    window.click("#train")
    window.sees("#lesson-status", "Done!")
    window.sees("#tested", "A fair test")

    window.sees("#comparison .answers.lora li", "goldfish")
    assert "goldfish" not in window.js(
        "return document.querySelector('#comparison .answers.frozen li').innerText"
    )
    window.click("#save")
    file = window.home / "downloads" / "lora-goldfish.safetensors"
    soon(lambda: file.exists() and file.stat().st_size, PATIENCE, file.name)
    assert open_adapter(file, "efficientnet_lite0")[1].spec.class_names == ("goldfish",)

    assert window.went_wrong() == []
    window.reload()
    window.sees("#greeting", "Welcome back")
    window.sees_pictures(5, "pictures")
    window.sees("#tested", "A fair test")
    window.sees("#comparison .answers.lora li", "goldfish")


def test_own_pictures_and_a_typed_word_to_the_comparison(window, tmp_path):
    folder = tmp_path / "my fish"
    folder.mkdir()
    files = [Path(shutil.copy(drawing, folder)) for drawing in DRAWINGS]
    (folder / "Thumbs.db").write_bytes(b"not a picture")
    window.drops([folder] if window.hands_over_files else files, "#pictures-tray")
    window.sees_pictures(5, "pictures")
    window.types("#class-name input", f"golden fish{Keys.ENTER}")
    window.sees("#lesson-status", "Ready: 5 pictures of “golden fish”")
    window.click("#train")
    window.sees("#lesson-status", "Done!")

    window.drops([HELD_OUT], "#trial-tray")

    window.sees_pictures(6, "trial")
    window.sees("#comparison .change", "to place 1")
    window.sees("#comparison .answers.lora li", "golden fish")


def test_a_drop_that_brings_no_picture_leaves_the_page_where_it_is(window, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    window.drags([empty if window.hands_over_files else HELD_OUT], "h1")

    window.sees("#pictures-tray", "came without a picture")
