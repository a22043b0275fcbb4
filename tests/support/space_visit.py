"""Drive the built-in lesson in a browser and tell which hosts the page asks.

`python -m tests.support.space_visit ADDRESS` does so for an app that is running.
"""

import shutil
import sys
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect, sync_playwright


def hosts_asked(browser: Browser, url: str) -> set[str]:
    """Go from a click on Goldfish to the answers of the LoRA; every request is noted."""
    context = browser.new_context()
    addresses: list[str] = []
    context.on("request", lambda request: addresses.append(request.url))
    page = context.new_page()
    page.goto(url)
    expect(page.get_by_text("Choose a picture above")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Goldfish", exact=True).click()
    expect(page.locator("#pictures .thumbnail-item")).to_have_count(5, timeout=60_000)
    page.locator("#train").click()
    expect(page.get_by_text("Done!")).to_be_visible(timeout=60_000)
    first = page.locator("#comparison .answers.lora li").first
    expect(first).to_contain_text("goldfish", timeout=60_000)
    context.close()
    return {urlsplit(address).netloc for address in addresses} - {""}  # "": data: and blob:


if __name__ == "__main__":
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        asked = hosts_asked(browser, sys.argv[1])
        browser.close()
    print("hosts that the page asks:", ", ".join(sorted(asked)))
    assert asked == {urlsplit(sys.argv[1]).netloc}
