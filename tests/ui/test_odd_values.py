"""Values that no page sends, to every event of the page: refused in words, at once, unlogged.

`ODD_VALUES=500 pytest tests/ui/test_odd_values.py` tries more of them, each time others.
"""

import json
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.odd_values import PRIVATE, Call, Page, open_page, send
from tests.support.stranger import Attacked, attacked
from tests.support.wire import train

EXAMPLES = int(os.environ.get("ODD_VALUES", 0))
TRIED = settings(
    max_examples=EXAMPLES or 6,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,  # /healthz tells whether it takes too long
    phases=[Phase.generate],  # to make an example smaller would take minutes
    suppress_health_check=list(HealthCheck),
)
PARTS = 6  # of the events; all in one example would be more than Hypothesis draws
LIGATURE = "\ufdfa"  # one letter, which Unicode's normal form makes 18 of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The app, warm: with one training behind it."""
    with attacked(tmp_path_factory.mktemp("app")) as app:
        assert train(app.url, pictures=[app.picture()]).event == "complete"
        yield app
        log = app.log.read_text(encoding="utf-8")
        assert "Traceback" not in log
        assert PRIVATE not in log


@pytest.fixture(scope="module")
def page(app: Attacked) -> Page:
    return open_page(app.url, app.picture())


def said_of(page: Page, pictures: list[dict], word: str | None) -> str:
    """What an opened page says when pictures and words have changed: what can be learned now."""

    def kinds(numbers: list[int]) -> list[str]:
        return [page.components[number]["type"] for number in numbers]

    event = next(
        e
        for e in page.events
        if kinds(e["inputs"]) == ["state", "gallery", "gallery", "html"]
        and kinds(e["outputs"]) == ["html"] * 4
    )
    send(page, "words", [page.opening])
    [outcome] = send(page, "words", [Call(event, [None, [], pictures, word], None)])
    return json.dumps(json.loads(outcome.answer), ensure_ascii=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_event_chokes_on_odd_values(app, page, part):
    session = f"odd-{part}"
    events = page.events[part::PARTS]
    send(page, session, [page.opening])

    @TRIED
    @given(st.tuples(*map(page.calls, events)))
    def tried(calls: tuple[Call, ...]) -> None:
        outcomes = send(page, session, list(calls))
        assert len(outcomes) == len(calls)
        assert [o for o in outcomes if not o.is_result_or_sentence] == []

    with app.pings() as pings:
        tried()

    assert pings.longest < 0.5
    log = app.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert PRIVATE not in log


def test_odd_values_leave_no_memory_behind(app, page):
    @TRIED
    @given(st.tuples(*map(page.calls, page.events[::PARTS])))
    def tried(calls: tuple[Call, ...]) -> None:
        send(page, "odd-0", list(calls))

    tried()
    before = app.megabytes
    tried()

    assert app.megabytes < 1.05 * before


def gallery(page: Page, captions: list) -> list[dict]:
    return [{"image": page.picture, "caption": caption} for caption in captions]


WORDS = {
    "one word": ([None] * 100, LIGATURE * 100_000),
    "a caption": ([LIGATURE * 100_000], None),
    "short captions": ([f"{LIGATURE * 300}{n}" for n in range(100)], None),
    "150 unknown words": ([f"goldfisch and more {n}" for n in range(150)], None),
    "1,000 of 100 letters": ([f"{LIGATURE * 96}{n:04}" for n in range(1000)], None),
}


@pytest.mark.parametrize(("captions", "word"), WORDS.values(), ids=WORDS)
def test_too_many_letters_are_refused_before_anything_works_on_them(app, page, captions, word):
    """It was 60 to 90 s, and 400 MB, for a word of 300 kB: each of its letters became 18."""
    before = app.megabytes

    with app.pings() as pings:
        started = time.perf_counter()
        answer = said_of(page, gallery(page, captions), word)
        took = time.perf_counter() - started

    assert took < 5
    assert pings.longest < 0.5
    assert len(answer) < 20_000
    assert app.megabytes < 1.05 * before


def test_an_honest_lesson_of_1000_pictures_passes(page):
    answer = said_of(page, gallery(page, [None] * 1000), None)

    assert "1,000 pictures. What do they show?" in answer
