"""Browser windows that notice what goes wrong: on the page, in the console, on the network."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext

# Gradio 6's marks of an event that failed, from the moment they appear: a badge disappears with
# the next event, and a toast after some seconds.
WATCHER = """(() => {
  if (window.wentWrong) return;
  window.wentWrong = [];
  const marks = {
    "error badge": "[data-testid=status-tracker] .error",
    "error toast": "[data-testid=toast-body].error",
  };
  const seen = new WeakSet();
  const look = () => {
    for (const [name, selector] of Object.entries(marks))
      for (const mark of document.querySelectorAll(selector)) {
        if (seen.has(mark)) continue;
        seen.add(mark);
        const place = mark.closest("[id]")?.id;
        window.wentWrong.push(`${name} at “${place}”: ${mark.textContent.trim()}`);
        console.error(window.wentWrong.at(-1));
      }
  };
  const watch = { subtree: true, childList: true, attributeFilter: ["class", "data-testid"] };
  new MutationObserver(look).observe(document, watch);
})()"""


@contextmanager
def new_window(
    browser: Browser, app_url: str, expected: Iterable[str] = (), **settings: object
) -> Iterator[BrowserContext]:
    """A window of its own; fails in the end on whatever went wrong in any of its pages.

    That is an error badge, an error toast, a script error, a line in the console, a request that
    leaves the app. What a test expects has one of the texts `expected` in it.
    """
    context = browser.new_context(**settings)
    context.add_init_script(WATCHER)
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(f"script error: {error.error}"))
    context.on(
        "console",
        lambda message: (
            wrong.append(f"console: {message.text}") if message.type == "error" else None
        ),
    )
    own = (app_url, "data:", "blob:")
    context.on(
        "request",
        lambda request: (
            None if request.url.startswith(own) else wrong.append(f"request to {request.url}")
        ),
    )
    try:
        yield context
    finally:
        context.close()
    wrong = unexpected(wrong, expected)
    assert not wrong, "\n".join(wrong)


def unexpected(wrong: Iterable[str], expected: Iterable[str]) -> list[str]:
    return [text for text in wrong if not any(part in text for part in expected)]


def tracebacks(log: str) -> list[str]:
    """Each from its headline to the error; what the log says between them is left out."""
    found = re.findall(r"Traceback \(most recent call last\):\n(?:[ |].*\n|\n)*.*", log)
    return [re.sub(r"\n\s+", "\n  ", text) for text in found]
