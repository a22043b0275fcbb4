"""One client that means harm: `python -m tests.benchmarks.hostile_client URL`, till its input ends.

It knows no other visitor, and invents sessions as it likes. Whether it is refused or served does
not matter to it; the last line counts what the app answered.
"""

import io
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, cycle

import httpx
from PIL import Image

from tests.support.wire import FILE

JSON = {"Content-Type": "application/json"}
LIGATURE = "\ufdfa"  # one sign that stands for 18 letters
AT_ONCE = 4  # acts that go on side by side


class HostileClient:
    def __init__(self, url: str):
        self.http = httpx.Client(base_url=url, timeout=60)
        config = self.http.get("config").json()
        self.events = config["dependencies"]
        self.components = {c["id"]: c for c in config["components"]}
        self.answers: Counter[int] = Counter()
        self._numbers = count()
        self._large = large_picture()
        self.picture = self.upload("1.png", small_picture())

    def upload(self, name: str, data: bytes) -> dict:
        answer = self.post("gradio_api/upload", files={"files": (name, data)})
        return {"path": answer.json()[0], **FILE} if answer.status_code == 200 else {}

    def post(self, path: str, **more: object) -> httpx.Response:
        answer = self.http.post(path, **more)
        self.answers[answer.status_code] += 1
        return answer

    def join(self, event: dict, values: dict[str, object], more: object = None) -> None:
        """Send an event of the page in the name of a session that nobody has."""
        data = [self._value(number, values) for number in event["inputs"]]
        session = f"hostile-{next(self._numbers)}"
        body = {"data": data, "fn_index": event["id"], "session_hash": session, "event_data": more}
        self.post("gradio_api/queue/join", content=json.dumps(body), headers=JSON)

    def _value(self, number: int, values: dict[str, object]) -> object:
        props = self.components[number]["props"]
        return values.get(props.get("elem_id"), props.get("value"))

    def event(self, elem_id: str, kind: str) -> dict:
        [number] = [i for i, c in self.components.items() if c["props"].get("elem_id") == elem_id]
        return next(
            e for e in self.events if e["backend_fn"] and [number, kind] in map(list, e["targets"])
        )

    def calls_at_the_upload_route(self) -> None:
        body = {"data": [[self.picture] * 10_000, "goldfish"], "fn_index": 0}
        self.post("gradio_api/run/upload", content=json.dumps(body), headers=JSON)

    def trainings_without_end(self) -> None:
        shown = [{"image": self.picture, "caption": "goldfish"}]
        asked = {"pictures": shown, "placement": "pixels", "rank": 64, "epochs": 1000}
        self.join(self.event("train", "click"), asked)

    def a_name_that_grows(self) -> None:
        data = [[self.picture] * 100, LIGATURE * 100_000, "efficientnet_lite0", "head", 1, 1]
        body = json.dumps({"data": [*data, 0.001, 0, "auto", True]}, ensure_ascii=False)
        self.post("gradio_api/call/train", content=body.encode(), headers=JSON)

    def pictures_that_grow(self) -> None:
        sent = [self.upload(f"{n}.png", self._large) for n in range(4)]
        [door] = [
            e
            for e in self.events
            if e["backend_fn"] and e["targets"] and e["targets"][0][1] == "arrive"
        ][:1]
        self.join(door, {}, {"paths": [file.get("path") for file in sent] * 5})

    def uploads_without_end(self) -> None:
        self.upload("lora.safetensors", bytes(40 * 2**20))

    def acts(self) -> Iterator[Callable[[], None]]:
        return cycle(
            [
                self.calls_at_the_upload_route,
                self.trainings_without_end,
                self.a_name_that_grows,
                self.pictures_that_grow,
                self.uploads_without_end,
            ]
        )


def small_picture() -> bytes:
    return encoded(Image.new("RGB", (300, 300), "orange"))


def large_picture() -> bytes:
    return encoded(Image.new("RGB", (7000, 7000)))  # 49 million pixels in some kB


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    client, over = HostileClient(sys.argv[1]), threading.Event()
    print("ready", flush=True)

    def act_for_ever() -> None:
        for act in client.acts():
            if over.is_set():
                return
            with suppress(httpx.HTTPError):  # the app may hang up
                act()

    threads = [threading.Thread(target=act_for_ever) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps(client.answers))


if __name__ == "__main__":
    main()
