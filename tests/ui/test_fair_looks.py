"""A small picture arrives while many large ones of somebody else are looked at."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import httpx
import pytest
from PIL import Image

from tests.support.stranger import Attacked, attacked
from tests.support.wire import join, page_events, train, upload

SIDE = 7_000  # px; 49 million in a file of 150 kB
SESSIONS = 50  # more than the events that Gradio has under way at once
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("app")) as app:
        train(app.url, pictures=[app.picture()])
        yield app


@pytest.fixture(scope="module")
def large(app: Attacked) -> list[str]:
    """The paths of 20 large pictures, uploaded."""
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "orange").save(file, "PNG", compress_level=1)
    names = [f"{number}.png" for number in range(20)]
    return [upload(app.url, name, file.getvalue() + name.encode())["path"] for name in names]


@cache
def arrival(url: str) -> dict:
    events = page_events(url)[0]
    return next(e for e in events if e["targets"] and e["targets"][0][1] == "arrive")


def arrive(app: Attacked, session: str, paths: list[str]) -> dict:
    """Pictures come into the tray of step 1, as the page sends it."""
    event = arrival(app.url)
    return join(app.url, event, [None, None, None], session, {"paths": paths})


@contextmanager
def hostile_client(app: Attacked, paths: list[str]) -> Iterator[None]:
    """Sends them all, and again as soon as it was answered, in many sessions."""
    over, open_now = threading.Event(), threading.Barrier(SESSIONS + 1)

    def go_on(session: str) -> None:
        with suppress(httpx.HTTPError):  # the app ends before all that was sent is looked at
            arrive(app, session, [])  # Gradio takes 0.1 s for a new session, with all else waiting
            open_now.wait()
            while not over.is_set():
                arrive(app, session, paths)

    for number in range(SESSIONS):
        threading.Thread(target=go_on, args=(f"hostile-{number}",), daemon=True).start()
    open_now.wait()
    time.sleep(2)
    yield
    over.set()


def test_one_small_picture_does_not_wait_behind_large_ones(app, large):
    """It was 34 s behind one event of 20 of them."""
    small = app.picture()["path"]
    before = app.megabytes

    with hostile_client(app, large), app.pings() as pings:
        took = []
        for number in range(5):
            started = time.perf_counter()
            assert "1.png" in str(arrive(app, f"honest-{number}", [small]))
            took.append(time.perf_counter() - started)
        most = app.megabytes - before

    assert max(took) < 2
    assert pings.longest < 0.5
    assert most < 1000
