"""Visitors are free to invent: thousands of them take little memory, and nothing from others.

Each attack runs against the app as a process of its own. Beside it one honest page is open all the
while, which trained before; `/healthz` is asked ten times a second.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import pytest

from lora_demo import AdapterSpec, limits, load_model, new_adapter, save_adapter
from tests.benchmarks.load import train
from tests.benchmarks.visit import Visit
from tests.support.stranger import Attacked, attacked
from tests.support.wire import page_events, send, upload

pytestmark = pytest.mark.slow
HEAVY = {"placement": "pixels", "rank": limits.MAX_RANK, "epochs": limits.MAX_EPOCHS}
MB = 1e6


def lesson(pictures: list[dict]) -> dict[str, object]:
    gallery = [{"image": picture, "caption": None} for picture in pictures]
    return {"pictures": gallery, "class_name": "goldfish"}


@dataclass(frozen=True)
class Stranger:
    """One client that plays many pages."""

    url: str

    @cached_property
    def page(self) -> tuple[list[dict], dict[int, dict]]:
        return page_events(self.url)

    def id_of(self, elem_id: str) -> int:
        return next(i for i, c in self.page[1].items() if c["props"].get("elem_id") == elem_id)

    def event(self, elem_id: str, name: str) -> dict:
        target = [self.id_of(elem_id), name]
        return next(
            e for e in self.page[0] if target in map(list, e["targets"]) and e["backend_fn"]
        )

    def follows(self, event: dict) -> dict:
        """The event that a browser sends when that one has changed a state."""
        states = [i for i in event["outputs"] if self.page[1][i]["type"] == "state"]
        changes = [[state, "change"] for state in states]
        return next(e for e in self.page[0] if [t for t in map(list, e["targets"]) if t in changes])

    def send(self, event: dict, session: str, **values: object) -> httpx.Response:
        """The page's first values, but for those given by elem_id."""
        given = {self.id_of(name.replace("_", "-")): value for name, value in values.items()}
        data = [
            None if c["type"] == "state" else given.get(i, c["props"].get("value"))
            for i, c in ((i, self.page[1][i]) for i in event["inputs"])
        ]
        return send(self.url, event, data, session)

    def outcome(self, event: dict, session: str, **values: object) -> str:
        """Send it, and wait until it is done."""
        self.send(event, session, **values).raise_for_status()
        with self.listening(session) as stream:
            return stream.read().decode()

    def listening(self, session: str) -> AbstractContextManager[httpx.Response]:
        """Open the stream of a page's messages, as a browser does."""
        url = f"{self.url}gradio_api/queue/data"
        return httpx.stream("GET", url, params={"session_hash": session}, timeout=120)

    def train(self, session: str, pictures: list[dict], **values: object) -> httpx.Response:
        return self.send(self.event("train", "click"), session, **(lesson(pictures) | values))


@dataclass
class Honest:
    """A page that is open all the while, with a LoRA that it trained."""

    visit: Visit
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine) -> Any:
        with ThreadPoolExecutor() as own_thread:  # in this one the browser's tests leave a loop
            in_time = asyncio.wait_for(work, 60)
            return own_thread.submit(self.loop.run_until_complete, in_time).result()

    async def leave(self) -> None:
        self.visit.close()
        await self.visit.http.aclose()

    def answers_with_its_lora(self) -> bool:
        """Whether its comparison still shows what was taught, however the dial is moved."""
        for strength in (0.0, 1.0):
            self.visit.put("strength", strength)
            self.run(self.visit.do("strength", "input", "comparison"))
        return "With LoRA, taught goldfish" in self.visit.value("comparison")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("rooms")) as running:
        yield running


@pytest.fixture(scope="module")
def stranger(app: Attacked) -> Stranger:
    return Stranger(app.url)


@pytest.fixture(scope="module")
def honest(app: Attacked) -> Iterator[Honest]:
    http = httpx.AsyncClient(base_url=app.url, timeout=60)
    visit = Visit(http, httpx.get(f"{app.url}config").json())
    visit.ids["goldfish"] = next(i for i, v in visit.values.items() if v == "Goldfish")
    with closing(asyncio.new_event_loop()) as loop:
        page = Honest(visit, loop)
        page.run(visit.open())
        page.run(visit.do("goldfish", "click"))
        page.run(train(page.visit))
        assert page.answers_with_its_lora()
        yield page
        page.run(page.leave())


@pytest.fixture(autouse=True)
def nobody_else_notices(app: Attacked, honest: Honest) -> Iterator[None]:
    """After each attack the open page has its LoRA, and the app answered all the while."""
    with app.pings() as pings:
        yield
        assert honest.answers_with_its_lora()
    assert pings.longest < 0.5


def test_pages_without_end_take_no_memory(app, stranger):
    stop, before = stranger.event("stop", "click"), app.megabytes

    for _ in range(limits.MAX_VISITORS + 50):
        assert stranger.send(stop, secrets.token_hex(8)).status_code == 200

    assert app.megabytes < before + 60


def test_answers_that_nobody_fetches_go_after_a_minute(app, stranger):
    before = app.megabytes
    for _ in range(300):
        stranger.train(secrets.token_hex(8), [], class_name="x" * 900_000)
    assert app.megabytes < before + limits.MAX_EVENT_BYTES / MB

    time.sleep(limits.MAX_UNHEARD_SECONDS + 15)

    assert app.megabytes < 1.05 * before


def test_a_page_name_without_end_is_refused(app, stranger):
    for event in (stranger.event("stop", "click"), stranger.event("lab", "click")):
        answer = stranger.send(event, "x" * 1000)

        assert answer.status_code == 400
        assert "session_hash is too long" in answer.json()["detail"]


def test_a_lora_loaded_in_fifty_pages_is_kept_within_the_bound_of_all(app, stranger, tmp_path):
    model = load_model("efficientnet_lite0")
    spec = AdapterSpec(model.name, "pixels", limits.MAX_RANK, class_names=("tench",))
    file = save_adapter(new_adapter(spec, model), tmp_path / "lora.safetensors")
    lora, load = upload(app.url, file.name, file.read_bytes()), stranger.event("load", "upload")
    before = app.megabytes

    for _ in range(50):
        stranger.send(load, secrets.token_hex(8), load=lora)
    while "completed" not in stranger.outcome(load, secrets.token_hex(8), load=lora):
        pass  # the last of the line

    assert app.megabytes < before + limits.MAX_KEPT_BYTES / MB + 200


def test_forty_pages_that_follow_trainings_leave_others_their_turn(app, stranger, honest):
    click, pages = stranger.event("train", "click"), [secrets.token_hex(8) for _ in range(45)]
    picture, follow = app.picture(), stranger.follows(click)
    with ExitStack() as streams:
        for page in pages:
            asked = lesson([picture]) | HEAVY
            assert "completed" in stranger.outcome(click, page, **asked)
            stranger.send(follow, page)
            streams.enter_context(stranger.listening(page))

        before = time.perf_counter()
        assert honest.answers_with_its_lora()
        assert time.perf_counter() - before < 5

    stop = stranger.event("stop", "click")
    for page in pages:
        stranger.send(stop, page)


def test_a_page_that_asks_for_too_much_is_told_so(app, stranger):
    page, click = secrets.token_hex(8), stranger.event("lab", "click")

    answers = [stranger.send(click, page) for _ in range(limits.MAX_PAGE_EVENTS + 1)]

    assert [answer.status_code for answer in answers[:-1]] == [200] * limits.MAX_PAGE_EVENTS
    assert answers[-1].status_code == 503
    assert "asks for too much at once" in answers[-1].json()["detail"]


def test_the_largest_trainings_of_a_full_room_stay_within_their_bound(app, stranger, honest):
    picture, before, peak = app.picture(), app.megabytes, 0.0
    for _ in range(limits.MAX_WAITING):
        stranger.train(secrets.token_hex(8), [picture], **HEAVY)

    end = time.monotonic() + 40
    while time.monotonic() < end:
        peak = max(peak, app.megabytes)
        time.sleep(0.2)
    honest.run(train(honest.visit))  # those who left give their places to who is here

    assert any("Done!" in text for text in honest.visit.seen[-20:])
    assert peak < before + (limits.MAX_WORKING_BYTES + limits.MAX_KEPT_BYTES) / MB + 300
