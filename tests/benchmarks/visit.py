"""A visitor without a browser: the page's own events over HTTP, in the order that a browser sends.

A browser for each of thirty visitors would need the cores that are to be measured.
"""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff


class Visit:
    """One open page: what its components hold, and the events that follow from events."""

    def __init__(self, http: httpx.AsyncClient, config: dict):
        self.http = http
        self.session = secrets.token_hex(8)
        self.events = {event["id"]: event for event in config["dependencies"]}
        components = config["components"]
        self.values = {c["id"]: c["props"].get("value") for c in components}
        self.ids = {c["props"].get("elem_id"): c["id"] for c in components}
        self.states = {c["id"] for c in components if c["type"] == "state"}
        self.seen: list[str] = []  # every text that the page showed
        self._inboxes: dict[str, asyncio.Queue] = {}
        self._early: dict[str, list[dict]] = {}
        self._stream: asyncio.Task | None = None

    def value(self, elem_id: str) -> Any:
        return self.values[self.ids[elem_id]]

    def put(self, elem_id: str, value: Any) -> None:
        self.values[self.ids[elem_id]] = value

    def find(self, elem_id: str, name: str, output: str | None = None) -> list[int]:
        """The events of a component, or those of them that change `output`."""
        target, wanted = [self.ids.get(elem_id), name], self.ids.get(output)
        return [
            number
            for number, event in self.events.items()
            if target in [list(pair) for pair in event["targets"]]
            and (output is None or wanted in event["outputs"])
        ]

    async def open(self, secret: str | None = None) -> str:
        """As after a (re)load of the page; returns the visitor's secret."""
        [load] = [n for n, e in self.events.items() if _load_mark(e) == ["load", True]]
        [box] = self.events[load]["inputs"]
        self.values[box] = secret
        await self.fire(load)
        return self.values[box]

    async def upload(self, files: list[Path]) -> list[dict]:
        sent = [("files", (file.name, file.read_bytes())) for file in files]
        answer = await self.http.post("gradio_api/upload", files=sent)
        pairs = zip(answer.raise_for_status().json(), files, strict=True)
        mark = {"_type": "gradio.FileData"}
        return [{"path": path, "orig_name": file.name, "meta": mark} for path, file in pairs]

    async def do(self, elem_id: str, name: str, output: str | None = None) -> None:
        """What a visitor does to a component, with all that follows."""
        await asyncio.gather(*(self.fire(n) for n in self.find(elem_id, name, output)))

    async def fire(self, number: int) -> None:
        """One event, and the events that wait for it, all the way down."""
        event = self.events[number]
        changed, well = await self._run(event)
        after = [
            n
            for n, e in self.events.items()
            if (e["trigger_after"] == number and (well or not e["trigger_only_on_success"]))
            or any(tuple(t) in {(c, "change") for c in changed} for t in e["targets"])
        ]
        await asyncio.gather(*(self.fire(n) for n in after))

    async def _run(self, event: dict) -> tuple[list[int], bool]:
        """The states that changed, and whether it went well."""
        if not event["backend_fn"]:
            return [], True
        data = [None if i in self.states else self.values[i] for i in event["inputs"]]
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session}
        if not event["queue"]:
            answer = await self.http.post("gradio_api/run/predict", json=body)
            well = answer.status_code == 200
            output = answer.json() if well else {}
            self._show(event, output.get("data", []))
            return output.get("changed_state_ids") or [], well
        answer = await self.http.post("gradio_api/queue/join", json=body)
        key = answer.raise_for_status().json()["event_id"]
        inbox = self._inboxes[key] = asyncio.Queue()
        for message in self._early.pop(key, []):
            inbox.put_nowait(message)
        if self._stream is None or self._stream.done():
            self._stream = asyncio.create_task(self._listen())
        changed, drawn = [], None
        while True:
            message = await inbox.get()
            output = message.get("output") or {}
            if message["msg"] == "process_generating" and message["success"]:
                new = output["data"]
                drawn = new if drawn is None else list(map(apply_diff, drawn, new))
                self._show(event, drawn)
            changed += output.get("changed_state_ids") or []
            if message["msg"] == "process_completed":
                del self._inboxes[key]
                if message["success"] and drawn is None:
                    self._show(event, output["data"])
                if not message["success"]:
                    self.seen.append(str(output.get("error")))
                return changed, message["success"]

    async def _listen(self) -> None:
        while self._inboxes:  # the server ends a stream when nothing is under way for it
            try:
                await self._listen_once()
            except httpx.ReadError:
                if self._inboxes:  # else the client was closed when nothing was under way
                    raise

    async def _listen_once(self) -> None:
        wanted = {"session_hash": self.session}
        async with self.http.stream("GET", "gradio_api/queue/data", params=wanted) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "close_stream":
                    return
                if message.get("event_id") in self._inboxes:
                    self._inboxes[message["event_id"]].put_nowait(message)
                elif message.get("event_id"):
                    self._early.setdefault(message["event_id"], []).append(message)

    def _show(self, event: dict, data: list) -> None:
        for component, value in zip(event["outputs"], data, strict=True):
            if isinstance(value, dict) and value.get("__type__") == "update":
                value = value.get("value", self.values[component])
            self.values[component] = value
            if isinstance(value, str):
                self.seen.append(value)

    def close(self) -> None:
        """The page is gone, whatever is under way."""
        self._inboxes.clear()  # else a page that is opened again would listen for ever
        if self._stream:
            self._stream.cancel()


def _load_mark(event: dict) -> list:
    """Of the event of the whole page that carries the secret: it alone runs a script first."""
    return [event["targets"][0][1] if event["targets"] else None, bool(event["js"])]
