"""What a person does and sees in a browser window, for every engine that Selenium drives."""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Remote
from selenium.webdriver.remote.webelement import WebElement

from tests.support.dragging import drag
from tests.support.engines import soon

PATIENCE = 90  # seconds
UNLIMITED = """
window.wrong = [];
for (const kind of ["error", "unhandledrejection"])
  addEventListener(kind, (event) => wrong.push(String(event.message ?? event.reason)));
"""
BADGES = "[data-testid=status-tracker] .error, [data-testid=toast-body].error"
DROP = """
const [place, names, contents] = arguments;
const files = new DataTransfer();
contents.forEach((content, i) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  files.items.add(new File([bytes], names[i], { type: "image/png" }));
});
const { left, top, width, height } = place.getBoundingClientRect();
const middle = { clientX: left + width / 2, clientY: top + height / 2 };
for (const kind of ["dragenter", "dragover", "drop"]) {
  const event = { dataTransfer: files, bubbles: true, cancelable: true, ...middle };
  place.dispatchEvent(new DragEvent(kind, event));
}
"""


@dataclass
class Window:
    engine: str
    driver: Remote
    display: str
    home: Path

    def open(self, url: str) -> None:
        """As in a new tab, which has kept nothing."""
        self._load(lambda: self.driver.get(f"{url}healthz"))
        self.js("sessionStorage.clear()")
        self._load(lambda: self.driver.get(url))
        self._show_lab()

    def reload(self) -> None:
        self._load(self.driver.refresh)
        self._show_lab()

    def _load(self, go: Callable[[], None]) -> None:
        """WebKitGTK's driver does not wait for the new page, and answers no script in between."""

        def came() -> bool:
            with suppress(WebDriverException):
                return self.js("return !window.left && !!document.body")
            return False

        self.js("window.left = true")
        go()
        soon(came, PATIENCE, "a new page")

    def _show_lab(self) -> None:
        self.js(UNLIMITED)
        self.sees("#network-line", "You teach EfficientNet-Lite0")

    def js(self, script: str, *values: object) -> object:
        return self.driver.execute_script(script, *values)

    def sees(self, selector: str, text: str) -> None:
        script = "return document.querySelector(arguments[0])?.innerText"
        what = f"“{text}” in {selector}"
        soon(lambda: text in (self.js(script, selector) or ""), PATIENCE, what)

    def sees_pictures(self, count: int, gallery: str) -> None:
        script = """return [...document.querySelectorAll(arguments[0])].filter(
          (picture) => picture.complete && picture.naturalWidth).length"""
        pictures = f"#{gallery} .thumbnail-item img"
        soon(lambda: self.js(script, pictures) == count, PATIENCE, f"{count} pictures: {gallery}")

    def click(self, selector: str, text: str = "") -> None:
        """Click as soon as it is there and nothing lies over it; `text` is all of it."""

        def clicked() -> bool:
            found = self.driver.find_elements("css selector", selector)
            with suppress(WebDriverException):  # it is drawn anew, or hidden
                for element in found:
                    if text in ("", self.js("return arguments[0].innerText.trim()", element)):
                        element.click()
                        return True
            return False

        soon(clicked, PATIENCE, f"{selector} {text}")

    def types(self, selector: str, keys: str) -> None:
        self.click(selector)
        self.driver.find_elements("css selector", selector)[0].send_keys(keys)

    @property
    def hands_over_files(self) -> bool:
        """Whether a page gets the files of a real drag.

        WebKitGTK keeps them back since CVE-2025-13947 (bugs.webkit.org 303434); Safari does not.
        """
        return self.engine != "webkit"

    def drops(self, files: list[Path], selector: str) -> None:
        """As a person does; else by events of the page's own, with files that are made in it."""
        if self.hands_over_files:
            self.drags(files, selector)
        else:
            contents = [base64.b64encode(file.read_bytes()).decode() for file in files]
            self.js(DROP, self.in_view(selector), [file.name for file in files], contents)

    def drags(self, files: list[Path], selector: str) -> None:
        """A real drag of files and folders from another program."""
        drag(self.display, files, self.on_screen(self.in_view(selector)))

    def in_view(self, selector: str) -> WebElement:
        place = self.driver.find_elements("css selector", selector)[0]
        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", place)
        return place

    def on_screen(self, place: WebElement) -> tuple[int, int]:
        """The middle of an element; nothing of the window lies below or beside the page."""
        x, y = self.js(
            """const { left, top, width, height } = arguments[0].getBoundingClientRect();
            return [left + width / 2 + screenX, top + height / 2 + screenY
              + outerHeight - innerHeight]""",
            place,
        )
        return int(x), int(y)

    def went_wrong(self) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
        return self.js("return wrong") + self.js(script, BADGES)
