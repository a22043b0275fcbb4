"""The app's routes as plain HTTP, past all checks of the client libraries."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

_http = httpx.Client(timeout=60)  # one: each would read the certificates anew
FILE = {"meta": {"_type": "gradio.FileData"}}
TRAIN = {  # the endpoint's arguments in their order
    **{"pictures": [], "class_name": "goldfish", "base_model": "efficientnet_lite0"},
    **{"placement": "head", "rank": 1, "epochs": 1, "learning_rate": 0.001, "seed": 0},
    **{"strength": "auto", "new_word": False},
}


@dataclass(frozen=True)
class Answer:
    event: str  # "complete" or "error"
    text: str  # all that came, as it came
    last: Any  # what the last event holds: a value, or {"error": text}


def upload(app_url: str, name: str, data: bytes) -> dict:
    """The file as endpoints expect it; an error where it is refused at the door."""
    files = {"files": (name, data, "application/octet-stream")}
    answer = _http.post(f"{app_url}gradio_api/upload", files=files)
    return {"path": answer.raise_for_status().json()[0], **FILE}


def call(app_url: str, endpoint: str, data: list) -> Answer:
    url = f"{app_url}gradio_api/call/{endpoint}"
    body = json.dumps({"data": data})  # httpx would refuse NaN
    head = {"Content-Type": "application/json"}
    event = _http.post(url, content=body, headers=head).raise_for_status().json()
    with _http.stream("GET", f"{url}/{event['event_id']}") as stream:
        text = stream.read().decode()
    *_, name, last = [line for line in text.splitlines() if line]
    value = json.loads(last.removeprefix("data: "))
    return Answer(
        name.removeprefix("event: "), text, value[0] if isinstance(value, list) else value
    )


def train(app_url: str, **values: Any) -> Answer:
    return call(app_url, "train", list((TRAIN | values).values()))


def join(app_url: str, event: dict, data: list, session: object, more: object = None) -> dict:
    """Send one of the page's own events, as a browser does; what became of it.

    `more` is what the event itself carries, such as the paths of pictures that arrived.
    """
    sent = send(app_url, event, data, session, more)
    if not event["queue"]:
        return {"success": sent.is_success, "output": sent.json()}
    sent.raise_for_status()
    url = f"{app_url}gradio_api/queue/data"
    with _http.stream("GET", url, params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if "process_completed" in line:
                return json.loads(line.removeprefix("data: "))
    raise AssertionError("it never came to an end")


def send(
    app_url: str, event: dict, data: list, session: object, more: object = None
) -> httpx.Response:
    """Send an event, and do not listen to what becomes of it."""
    body = {"session_hash": session, "fn_index": event["id"], "data": data, "event_data": more}
    route = "queue/join" if event["queue"] else "run/predict"
    return _http.post(f"{app_url}gradio_api/{route}", json=body)


def page_events(app_url: str) -> tuple[list[dict], dict[int, dict]]:
    """What the page can ask for, and its components by number."""
    config = _http.get(f"{app_url}config").json()
    return config["dependencies"], {c["id"]: c for c in config["components"]}
