"""The page for every eye, hand, language and place: axe, keyboard, high contrast, Spaces."""

import io
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.space_visit import hosts_asked
from tests.support.windows import new_window

SLOW = 60_000  # ms; for what a busy computer may take long over
ROOT = Path(__file__).parents[2]
# As Spaces set them.
SPACE = {
    "SYSTEM": "spaces",
    "SPACE_ID": "someone/lora",
    "SPACE_HOST": "someone-lora.hf.space",
    "SPACE_AUTHOR_NAME": "someone",
    "SPACE_REPO_NAME": "lora",
    "SPACE_TITLE": "LoRA",
}
AXE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


@contextmanager
def opened(browser: Browser, url: str, **settings) -> Iterator[Page]:
    with new_window(browser, url, **settings) as window:
        page = window.new_page()
        page.goto(url)
        expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=SLOW)
        yield page


def learn_goldfish(page: Page) -> None:
    page.get_by_role("button", name="Goldfish", exact=True).click()
    expect(page.locator("#pictures .thumbnail-item")).to_have_count(5, timeout=SLOW)
    page.locator("#train").click()
    expect(page.get_by_text("A fair test")).to_be_visible(timeout=SLOW)
    expect(page.locator("#results table")).to_be_visible(timeout=SLOW)
    expect(page.locator("#chosen img")).to_be_visible(timeout=SLOW)
    expect(page.locator("#comparison .answers.lora li")).to_have_count(5, timeout=SLOW)


def findings(page: Page) -> list[tuple[str, str]]:
    """What axe calls serious or critical, in our own parts and in Gradio's."""
    return [
        (violation["id"], node["html"])
        for violation in Axe().run(page, options=AXE).response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_before_and_after_a_training(browser, app_url, theme, width):
    size = {"width": width, "height": 844}
    with opened(browser, app_url, color_scheme=theme, viewport=size) as page:
        for summary in ("Choose another network", "Or draw one yourself", "More settings"):
            page.get_by_role("button", name=summary).click()
        expect(page.get_by_label("Seed")).to_be_visible()
        assert findings(page) == []

        learn_goldfish(page)

        page.get_by_text("What the columns mean").click()
        page.mouse.move(0, 0)
        assert findings(page) == []


FOCUS = """() => {
  const it = document.activeElement, style = getComputedStyle(it);
  const name = it.getAttribute("aria-label") || it.innerText || it.id || it.className;
  const seen = style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2;
  return [`${it.tagName} ${it.type} ${name}`, seen];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(browser, app_url, theme):
    with opened(browser, app_url, color_scheme=theme) as page:
        learn_goldfish(page)
        page.get_by_role("button", name="More settings").click()
        expect(page.get_by_label("Seed")).to_be_visible()
        page.evaluate("document.body.tabIndex = -1; document.body.focus()")
        stops = []
        while len(stops) < 200:
            page.keyboard.press("Tab")
            stop = page.evaluate(FOCUS)
            if stop[0].startswith("BODY"):
                break
            stops.append(stop)

    assert [name for name, seen in stops if not seen] == []
    kinds = Counter(name.split()[1] for name, _ in stops)
    assert kinds["range"] == 3
    assert kinds["radio"] >= 1
    names = " ".join(name for name, _ in stops)
    for control in ("Goldfish", "Train", "Use training 1", "Forget my pictures", "Use via API"):
        assert control in names


def painted(part: Locator, background: str) -> float:
    """The share of its pixels, 0 to 1, that differ from the background."""
    image = Image.open(io.BytesIO(part.screenshot())).convert("RGB")
    other = sum(count for count, colour in image.getcolors(1 << 24) if f"rgb{colour}" != background)
    return other / (image.width * image.height)


PAINTED = {
    "#rank input[type=range]": 0.1,
    "#strength input[type=range]": 0.1,
    "#size .frozen i": 0.9,
    "#size .lora i": 0.5,
    "#comparison .frozen li:first-child i": 0.5,
    "#comparison .lora li:first-child i": 0.8,
    "#loss svg": 0.01,
    "#results svg .point": 0.5,
    ".pad[data-gallery=pictures] .pen[data-colour='#dc2626']": 0.6,
}
# The borders of buttons; the picture in step 4 is a button of Gradio's that does nothing.
BARE_BUTTONS = """() => [...document.querySelectorAll("button:not(#chosen button)")]
  .filter((it) => it.checkVisibility() && parseFloat(getComputedStyle(it).borderTopWidth) < 1)
  .map((it) => it.outerHTML)"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_with_forced_colours_everything_is_still_there(browser, app_url, theme):
    with opened(browser, app_url, color_scheme=theme, forced_colors="active") as page:
        page.get_by_role("button", name="Or draw one yourself").click()
        page.get_by_role("button", name="More settings").click()
        learn_goldfish(page)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shares = {part: painted(page.locator(part), background) for part in PAINTED}
        too_little = {part: share for part, share in shares.items() if share < PAINTED[part]}
        assert too_little == {}
        assert page.evaluate(BARE_BUTTONS) == []
        radio = page.locator("input[type=radio]").first
        assert radio.evaluate("it => getComputedStyle(it).appearance") == "auto"


@pytest.mark.parametrize("locale", ["de-DE", "ar", "ja-JP"])
def test_the_page_speaks_english_to_every_browser(browser, app_url, locale):
    with opened(browser, app_url, locale=locale) as page:
        html = page.locator("html")
        expect(html).to_have_attribute("lang", "en")
        expect(html).not_to_have_attribute("dir", "rtl")
        expect(page.locator("#pictures")).to_contain_text("Drop Media Here")
        expect(page.locator("footer")).to_contain_text("Use via API")


@pytest.fixture
def space_url(tmp_path: Path) -> Iterator[str]:
    """The app in a process of its own, as on a Space."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(tmp_path)}
    command = [sys.executable, "app.py"]
    app = subprocess.Popen(command, cwd=ROOT, env=os.environ | SPACE | settings)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        with suppress(OSError):
            urlopen(f"{url}/healthz").close()
            break
        time.sleep(0.1)
    yield url
    app.terminate()
    app.wait()


def test_on_a_space_the_page_asks_no_other_host(browser, space_url):
    assert hosts_asked(browser, space_url) == {space_url.removeprefix("http://")}
