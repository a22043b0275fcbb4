"""What visitors send is each one's own, bounded on disk, and gone when it should be."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from lora_demo import limits
from lora_demo.ui.receiving import Pace
from tests.conftest import DATA
from tests.support.stranger import Attacked, attacked
from tests.support.visitor import DRAWINGS, drop
from tests.support.windows import new_window
from tests.support.wire import join, page_events, train, upload

HTTP = httpx.Client(timeout=60)  # one: each would read the certificates anew
GOLDFISH = (DATA / "goldfish" / "1.png").read_bytes()
MB = 2**20
SMALL = """
from lora_demo import limits
from lora_demo.ui import tidying
limits.MAX_SENDER_BYTES, limits.MAX_STORED_BYTES = 12 * 2**20, 20 * 2**20
tidying.TIDY_SECONDS = 1
"""
FULL = "from lora_demo import limits\nlimits.MIN_FREE_DISK_BYTES = 2**60"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """With room for 12 MB of one sender, and 20 MB in all."""
    with attacked(tmp_path_factory.mktemp("small"), SMALL) as app:
        yield app


def send(app: Attacked, data: bytes, name: str = "1.bin", sender: str = "127.0.0.1"):
    """As from that address, behind a proxy on the same computer."""
    head = {"X-Forwarded-For": sender}
    return HTTP.post(f"{app.url}gradio_api/upload", files={"files": (name, data)}, headers=head)


class Visitor:
    """Someone at the page, as it talks with the server."""

    def __init__(self, app: Attacked, session: str):
        self.app, self.session = app, session
        self.events, self.components = page_events(app.url)
        self.ask("load")

    def ask(self, trigger: str, first: object = None, more: object = None, by: str = "") -> str:
        """Send the first event that waits in line for this, with `first` as its values."""

        def by_id(number: int) -> str:
            return self.components.get(number, {}).get("props", {}).get("elem_id") or ""

        event = next(
            e
            for e in self.events
            if e["queue"] and e["backend_fn"]
            for number, kind in e["targets"]
            if kind == trigger and by in ("", by_id(number))
        )
        states = [self.components[i]["type"] == "state" for i in event["inputs"]]
        data = [None if state else first for state in states]
        return str(join(self.app.url, event, data, self.session, more))

    def take(self, *paths: str) -> str:
        return self.ask("arrive", None, {"paths": list(paths)})

    def load(self, path: dict) -> str:
        return self.ask("upload", path)

    def forget(self) -> None:
        self.ask("click", by="forget")


@pytest.fixture
def visitor(app: Attacked) -> Callable[[str], Visitor]:
    return lambda session: Visitor(app, session)


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def pieces(app: Attacked) -> list[Path]:
    """What is under way."""
    return list(app.uploads.rglob("tmp*"))


def head(length: int) -> bytes:
    lines = (
        "POST /gradio_api/upload HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {length}",
        "",
        "--b",
        'Content-Disposition: form-data; name="files"; filename="aunt-emma.png"',
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def test_an_upload_cut_off_in_the_middle_leaves_nothing(app):
    until(lambda: not pieces(app))
    with socket.create_connection(("127.0.0.1", httpx.URL(app.url).port)) as line:
        line.sendall(head(9 * MB) + b"x" * MB)
        until(lambda: bool(pieces(app)))
    until(lambda: not pieces(app), 2)
    assert "Traceback" not in app.log.read_text()


def test_an_upload_without_its_end_leaves_nothing(app):
    with socket.create_connection(("127.0.0.1", httpx.URL(app.url).port)) as line:
        line.sendall(head(len(head(0).partition(b"--b")[2]) + 3 + 1000) + b"x" * 1000)
        assert line.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
    until(lambda: not pieces(app), 2)


def test_what_gradio_leaves_behind_when_a_lora_is_loaded_is_swept(app, visitor):
    someone = visitor("loads")
    someone.load(upload(app.url, "bad.safetensors", b"none"))
    left = app.uploads / "tmpabcdefgh"
    left.touch()
    until(lambda: not list(app.uploads.glob("tmp*")))


def test_a_field_that_is_no_file_stops_nobody(app):
    field = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\n'
    body = field + b"x" * 40 * MB + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with app.pings() as pings:
        answer = HTTP.post(f"{app.url}gradio_api/upload", content=body, headers=kind)
        time.sleep(1)

    assert (answer.status_code, answer.text[:26]) == (400, "Send files as a form (mult")
    assert pings.longest < 2  # over 60 once


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"x" * 1000, 400), (b"--b\r\n\r\n\r\n--b--", 400), (b"--b--", 200)],
)
def test_a_form_that_is_none_is_refused_in_words(app, body, status):
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = HTTP.post(f"{app.url}gradio_api/upload", content=body, headers=kind)

    assert answer.status_code in (status, 200), answer.text
    assert "Traceback" not in app.log.read_text()


def test_more_files_than_may_come_at_once_are_refused(app):
    files = [("files", (f"{number}.png", b"x")) for number in range(101)]
    answer = HTTP.post(f"{app.url}gradio_api/upload", files=files)

    assert answer.status_code == 413
    assert "100 files may come in one request" in answer.text
    assert not pieces(app)


def test_the_same_picture_of_two_visitors_is_two_files(app, visitor):
    mine, theirs = (upload(app.url, "same.png", GOLDFISH) for _ in range(2))
    assert mine["path"] != theirs["path"]

    someone = visitor("forgets")
    assert "same.png" in someone.take(mine["path"])
    someone.forget()

    assert not Path(mine["path"]).exists()
    assert train(app.url, pictures=[theirs]).event == "complete"


def test_our_own_pictures_belong_to_nobody(app, visitor):
    [ours] = app.uploads.rglob("lion.jpg")
    someone = visitor("takes ours")
    assert "lion.jpg" in someone.take(str(ours))

    someone.forget()

    assert ours.exists()


def test_what_was_refused_is_gone_with_the_rest(app, visitor):
    lora = upload(app.url, "bad.safetensors", b"nothing")
    picture = upload(app.url, "bad.png", b"no picture")
    someone = visitor("sends bad files")
    assert "cannot be read as a LoRA" in someone.load(lora)
    assert "is not a picture" in someone.take(picture["path"])

    someone.forget()

    assert not Path(lora["path"]).exists()
    assert not Path(picture["path"]).exists()


def test_whoever_sends_without_end_puts_out_only_their_own_oldest(app):
    [others] = send(app, bytes(2 * MB), sender="10.0.0.1").json()
    mine = [send(app, bytes(MB), sender="10.0.0.2").json()[0] for _ in range(30)]

    there = [Path(path).exists() for path in mine]
    assert there == sorted(there)
    assert there[-1]
    assert not there[0]
    assert Path(others).exists()
    assert app.megabytes_on_disk < 20 * MB / 1e6 + 10  # and our own pictures


def test_all_together_have_a_bound_and_whoever_has_most_pays(app):
    [little] = send(app, bytes(MB), sender="10.0.1.1").json()
    for address in range(2, 6):
        for _ in range(9):
            assert send(app, bytes(MB), sender=f"10.0.1.{address}").status_code == 200
    assert Path(little).exists()
    assert app.megabytes_on_disk < 20 * MB / 1e6 + 10


def test_the_addresses_of_one_household_are_one_sender(app):
    addresses = [f"2001:db8::{number:x}" for number in range(15)]
    paths = [send(app, bytes(MB), sender=address).json()[0] for address in addresses]

    assert sum(Path(path).exists() for path in paths) <= 11  # of 12 MB


def test_who_holds_all_the_room_is_refused_in_words_until_they_forget(app, visitor):
    address, someone = "10.0.2.1", visitor("collects")
    refused = None
    for number in range(30):
        refused = send(app, GOLDFISH + bytes(MB), f"{number}.png", address)
        if refused.status_code != 200:
            break
        assert f"{number}.png" in someone.take(refused.json()[0])

    assert refused.status_code == 507
    assert "All the room for files from your internet connection is taken" in refused.text
    assert number >= 10
    assert send(app, GOLDFISH, sender="10.0.2.2").status_code == 200

    someone.forget()
    time.sleep(1)
    assert send(app, GOLDFISH, sender=address).status_code == 200


def test_a_disk_that_is_nearly_full_stays_as_it_is_and_the_page_says_so(tmp_path, browser):
    with attacked(tmp_path, FULL) as app:
        before = app.megabytes_on_disk
        for data in (b"", bytes(MB), bytes(8 * MB)):
            answer = send(app, data)
            assert answer.status_code == 507
            assert "has no room for more files" in answer.text
        assert app.megabytes_on_disk == before
        with new_window(browser, app.url, ["507", "no room for more files"]) as window:
            page = window.new_page()
            page.goto(app.url)
            expect(page.get_by_text("You teach")).to_be_visible(timeout=30_000)
            drop(page, "pictures", DRAWINGS[:2])
            told = page.locator("#pictures-tray .note-bad")
            expect(told).to_contain_text("2 pictures did not arrive")
            expect(told).to_contain_text("has no room for more files")
            file = {"name": "lora.pth", "mimeType": "a/b", "buffer": bytes(20 * MB)}
            page.get_by_test_id("Load a LoRA file-upload-button").set_input_files([file])
            expect(page.get_by_text("has no room for more files").nth(1)).to_be_visible()


def test_an_address_that_has_sent_much_is_slowed_down_and_no_other(monkeypatch):
    monkeypatch.setattr(limits, "MAX_BURST_BYTES", 10 * MB)
    monkeypatch.setattr(limits, "SENDER_BYTES_A_SECOND", 10 * MB)
    pace = Pace()

    assert [pace.delay("fast", 5 * MB) for _ in range(2)] == [0, 0]
    assert pace.delay("fast", 5 * MB) == pytest.approx(0.5, abs=0.05)
    assert pace.delay("other", 5 * MB) == 0
    time.sleep(0.6)
    assert pace.delay("fast", 0) == 0
