"""Whatever a client may send to an event of the page in place of what the page sends."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import strategies as st

from tests.support.wire import page_events

PRIVATE = "aunt-emma"  # in all texts that are sent; it must not get into the log
LONG = f"{PRIVATE} " * 20_000
DEEP = json.loads("[" * 200 + "]" * 200)

TEXTS = st.one_of(
    st.text(max_size=20).map(lambda text: PRIVATE + text),
    st.sampled_from(
        ["", "goldfish", "guarded", "vgg19", f"<script>{PRIVATE}</script>", f"/etc/{PRIVATE}"]
    ),
    st.sampled_from([f"{PRIVATE}\0", f"http://127.0.0.1/{PRIVATE}", "\ufdfa" * 20_000, LONG]),
)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 10, 10**9, 10**400, 2**63, True, False]),
    st.sampled_from([0.5, 1.0, 1e300, math.nan, math.inf, -math.inf]),
)
KEYS = st.sampled_from(["value", "path", "image", "caption", "meta", "url", "__type__", PRIVATE])
VALUES = st.recursive(
    st.none() | NUMBERS | TEXTS | st.just(DEEP),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
META = {"_type": "gradio.FileData"}


@dataclass(frozen=True)
class Call:
    event: dict
    data: list
    more: Any  # what the event itself carries

    def __repr__(self) -> str:
        return f"event {self.event['id']}: {self.data!r:.500}, {self.more!r:.300}"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print a text of a megabyte


@dataclass(frozen=True)
class Page:
    """The page's events, and what comes close to a valid value of each kind of component."""

    url: str
    events: list[dict]
    components: dict[int, dict]
    picture: dict  # uploaded

    def values(self, number: int) -> st.SearchStrategy:
        """The valid value, nearly valid ones, and any other."""
        component = self.components[number]
        near = {
            "gallery": st.lists(self._items(), max_size=3) | self._items().map(lambda i: [i] * 30),
            "uploadbutton": self._files(),
            "html": TEXTS,
            "textbox": TEXTS,
            "radio": TEXTS,
            "slider": NUMBERS,
            "number": NUMBERS,
        }.get(component["type"], st.none())
        return st.just(component["props"].get("value")) | near | VALUES

    def _files(self) -> st.SearchStrategy:
        paths = st.just(self.picture["path"]) | TEXTS
        return paths.map(lambda path: {"path": path, "meta": META}) | st.just(self.picture)

    def _items(self) -> st.SearchStrategy:
        captions = st.none() | TEXTS
        return st.builds(lambda f, text: {"image": f, "caption": text}, self._files(), captions)

    @property
    def opening(self) -> Call:
        """What a browser sends first: after it, Gradio has made most components anew."""
        load = next(e for e in self.events if e["targets"] and e["targets"][0][1] == "load")
        return Call(load, [None], None)

    def calls(self, event: dict) -> st.SearchStrategy[Call]:
        """Values of any kind and number, and anything that the event itself carries."""
        fitting = st.tuples(*map(self.values, event["inputs"])).map(list)
        count = len(event["inputs"])
        fewer = fitting.map(lambda data: data[: count - 1])
        more = fitting.map(lambda data: [*data, PRIVATE])
        index = NUMBERS | st.lists(NUMBERS, max_size=2)
        paths = st.lists(st.just(self.picture["path"]) | VALUES, max_size=3)
        carried = st.fixed_dictionaries(
            {}, optional={"index": index, "row": index, "value": VALUES, "paths": paths}
        )
        data = st.one_of(fitting, fitting, fewer, more, st.lists(VALUES, max_size=3))
        return st.builds(Call, st.just(event), data, carried | VALUES)


def open_page(url: str, picture: dict) -> Page:
    return Page(url, *page_events(url), picture)


@dataclass(frozen=True)
class Outcome:
    call: Call
    answer: str  # as it came

    @property
    def is_result_or_sentence(self) -> bool:
        """Whether it has values, or one error in plain words."""
        try:
            got = json.loads(self.answer)
        except json.JSONDecodeError:
            return self.answer == "That is too much for one request."
        output = got.get("output", got)
        if "data" in output or got.get("success"):
            return True
        error = output.get("error") or got.get("detail")
        return isinstance(error, str) and len(error) < 1000 and error.endswith((".", "?"))


def send(page: Page, session: str, calls: list[Call]) -> list[Outcome]:
    """Send all at once in one session, past the client libraries; wait for the answers."""
    outcomes, queued = [], {}
    with httpx.Client(timeout=60) as http:
        for call in calls:
            body = {"session_hash": session, "fn_index": call.event["id"], "data": call.data}
            text = json.dumps(body | {"event_data": call.more})
            kind = "queue/join" if call.event["queue"] else "run/predict"
            head = {"Content-Type": "application/json"}
            answer = http.post(f"{page.url}gradio_api/{kind}", content=text, headers=head)
            if answer.status_code == 200 and call.event["queue"]:
                queued[answer.json()["event_id"]] = call
            else:
                outcomes.append(Outcome(call, answer.text))
        if queued:
            _listen(http, page.url, session, lambda name, text: _note(name, text, queued, outcomes))
    return outcomes


def _note(name: str, text: str, queued: dict[str, Call], outcomes: list[Outcome]) -> bool:
    if name in queued:
        outcomes.append(Outcome(queued.pop(name), text))
    return not queued


def _listen(http: httpx.Client, url: str, session: str, over: Callable[[str, str], bool]) -> None:
    params = {"session_hash": session}
    with http.stream("GET", f"{url}gradio_api/queue/data", params=params) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed" and over(message["event_id"], line[6:]):
                return
    raise AssertionError("not every event came to an end")
