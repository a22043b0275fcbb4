"""What a person's hands do: drags from a file manager, with the browser's own drag events."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page


def hover_files(page: Page, files: Sequence[Path | str], x: float, y: float, end: str = "") -> None:
    """Drag files from outside to a place of the window, in pixels of the view."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in filter(None, ["dragEnter", "dragOver", end]):
        event = {"type": kind, "x": x, "y": y, "data": data}
        devtools.send("Input.dispatchDragEvent", event)
    devtools.detach()


def drop_files(page: Page, files: Sequence[Path | str], place: Locator) -> None:
    """Drag files from outside to the middle of an element, and let go."""
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hover_files(page, files, x, y, end="drop")
