"""The app as a process of its own, called without a client library: words, and a clean log."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import httpx
import pytest

from lora_demo import limits
from lora_demo.limits import MAX_REQUEST_BYTES
from lora_demo.ui import server
from lora_demo.ui.blocks import Page
from tests.conftest import DATA

ROOT = Path(__file__).parents[2]
PRIVATE = "aunt-emma"  # in names, words and values that are sent; it must not get into the log
CALL = "gradio_api/call/"
JSON = {"Content-Type": "application/json"}
CURL = shutil.which("curl")
HTTP = httpx.Client(timeout=60)  # one: each would read the certificates anew
with_curl = pytest.mark.skipif(not CURL, reason="curl is not on this computer")


@dataclass(frozen=True)
class OwnApp:
    url: str
    log: Path


@pytest.fixture(scope="module")
def own_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnApp]:
    """`python app.py`, with what it prints in a file."""
    folder = tmp_path_factory.mktemp("own_app")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    more = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "uploads")}
    app = OwnApp(f"http://127.0.0.1:{port}/", folder / "log")
    with app.log.open("wb") as log:
        environment = {**os.environ, **more, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        until(lambda: "Running on" in app.log.read_text() and lives(app.url))
        yield app
    finally:
        process.terminate()
        process.wait(timeout=30)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def lives(url: str) -> bool:
    return HTTP.get(f"{url}healthz").text == "ok"


@pytest.fixture
def quiet_app(own_app: OwnApp) -> Iterator[OwnApp]:
    """Whatever a test sends: afterwards the app answers, and the log tells nothing of it."""
    yield own_app
    assert lives(own_app.url)
    log = own_app.log.read_text(encoding="utf-8")
    for told in ("Traceback", "Error: ", "Exception", "Warning: ", PRIVATE, "goldfish"):
        assert told not in log, log


@pytest.fixture(scope="module")
def picture(own_app: OwnApp) -> dict:
    files = {"files": (f"{PRIVATE}.png", (DATA / "goldfish" / "1.png").read_bytes())}
    answer = HTTP.post(f"{own_app.url}gradio_api/upload", files=files)
    return {"path": answer.raise_for_status().json()[0]}


def answer(app: OwnApp, path: str, body: str | bytes, headers: dict = JSON) -> str:
    """What a caller is told: the last line of the stream, or the refusal at the door."""
    sent = HTTP.post(f"{app.url}{path}", content=body, headers=headers)
    if sent.status_code >= 400:
        return sent.text
    event = sent.json()["event_id"]
    stream = HTTP.get(f"{app.url}{path}/{event}")
    *_, event, data = [line for line in stream.text.splitlines() if line]
    assert event == "event: error"
    return data


ONE, TWO = json.dumps(PRIVATE), json.dumps([PRIVATE, PRIVATE])
TRAIN_TAKES = "/train takes 2 to 11 arguments, and {} came. They are, in this order: pictures, cl"
NOT_JSON = "cannot be read. Send JSON"
NO_ENDPOINT = "There is no endpoint of that name. There are /train and /compare."
NO_ARGUMENT = "An argument is missing, or has a name"
NOT_UPLOADED = "That file was not uploaded here"
META = '"meta": {"_type": "gradio.FileData"}'
WRONG = {
    "no argument": ("train", '{"data": []}', TRAIN_TAKES.format(0)),
    "no class": ("train", '{"data": [[PICTURE]]}', TRAIN_TAKES.format(1)),
    "no adapter": ("compare", '{"data": [PICTURE]}', "/compare takes 2 to 3 arguments, and 1 came"),
    "too many": ("train", f'{{"data": {json.dumps([PRIVATE] * 12)}}}', TRAIN_TAKES.format(12)),
    "too many to compare": ("compare", f'{{"data": [{ONE}, {TWO}, 1, 2]}}', "and 4 came"),
    "an unknown class": ("train", f'{{"data": [[PICTURE], {ONE}]}}', "none of the 1,000 classes"),
    "a class that is half a sign": ("train", r'{"data": [[PICTURE], "\ud800"]}', "1,000 classes"),
    "a class of a number": ("train", '{"data": [[PICTURE], 5]}', "class_name is 5"),
    "a bad strength": ("compare", '{"data": [PICTURE, PICTURE, "much"]}', "is no LoRA file"),
    "pictures as text": ("train", f'{{"data": [{ONE}, "goldfish"]}}', "A file is expected here"),
    "a file of the server": (
        *("train", f'{{"data": [[{{"path": "/{PRIVATE}"}}], "goldfish"]}}', NOT_UPLOADED),
    ),
    "a file of the server, as clients say it": (
        *("train", f'{{"data": [[{{"path": "/{PRIVATE}", {META}}}], "goldfish"]}}', NOT_UPLOADED),
    ),
    "a file from the web": (
        "train",
        f'{{"data": [[{{"path": "http://127.0.0.1/{PRIVATE}", {META}}}], "goldfish"]}}',
        NOT_UPLOADED,
    ),
    "a path with a NUL": (
        "train",
        rf'{{"data": [[{{"path": "{PRIVATE}\u0000", {META}}}], "goldfish"]}}',
        "not of the kind that is expected",
    ),
    "an unknown endpoint": (PRIVATE, '{"data": []}', NO_ENDPOINT),
    "an unknown endpoint, named": (f"v2/{PRIVATE}", "{}", NO_ENDPOINT),
    "a name missing": ("v2/train", '{"pictures": [PICTURE]}', NO_ARGUMENT),
    "a name too many": (
        *("v2/train", f'{{"pictures": [PICTURE], "class_name": "x", {ONE}: 1}}', NO_ARGUMENT),
    ),
    "names as a list": ("v2/train", f"[{ONE}]", NOT_JSON),
    "JSON cut short": ("train", f'{{"data": [{ONE}', NOT_JSON),
    "no JSON": ("train", PRIVATE, NOT_JSON),
    "nothing": ("train", "", NOT_JSON),
    "no data": ("train", f"{{{ONE}: 1}}", NOT_JSON),
    "data of names": ("train", f'{{"data": {{"class_name": {ONE}}}}}', NOT_JSON),
    "JSON without end": ("train", '{"data": ' + "[" * 10**5 + "]" * 10**5 + "}", "error parsing"),
    "a number without end": ("train", f'{{"data": [[], {"9" * 5000}]}}', "error parsing"),
    "letters that are none": ("train", b'{"data": ["\xff"]}', "error parsing"),
}


@pytest.mark.parametrize(("path", "body", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.slow
def test_a_wrong_call_is_refused_in_words_and_not_logged(quiet_app, picture, path, body, words):
    if isinstance(body, str):
        body = body.replace("PICTURE", json.dumps(picture))

    told = answer(quiet_app, CALL + path, body)

    assert words in told
    assert "null" not in told


@pytest.mark.slow
def test_json_that_is_not_called_json_is_refused_in_words(quiet_app):
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl -d sends it

    assert NOT_JSON in answer(quiet_app, f"{CALL}train", f'{{"data": {TWO}}}', form)


@pytest.mark.parametrize("path", [f"call/train/{PRIVATE}", f"queue/data?session_hash={PRIVATE}"])
@pytest.mark.slow
def test_a_stream_that_is_not_there_ends(quiet_app, path):
    assert "404" in HTTP.get(f"{quiet_app.url}gradio_api/{path}").text


@pytest.mark.parametrize("path", ["run/train", f"run/{PRIVATE}", "queue/join", "component_server"])
@pytest.mark.parametrize("body", [{"data": [PRIVATE]}, {"data": [], "fn_index": 9999}])
@pytest.mark.slow
def test_the_other_ways_in_are_as_kind(quiet_app, path, body):
    more = {"session_hash": PRIVATE, "component_id": 9999, "fn_name": PRIVATE}

    told = HTTP.post(f"{quiet_app.url}gradio_api/{path}", json={**body, **more})

    assert told.status_code >= 400
    assert len(told.text) > 20
    assert "null" not in told.text


@pytest.mark.parametrize("length", ["-5", "many", "1_0", "5, 6", "+5", "", "9" * 30])
@pytest.mark.slow
def test_a_length_that_is_none_is_refused(quiet_app, length):
    with connection(quiet_app.url) as line:
        line.sendall(request(length, b"{}"))
        assert line.makefile("rb").read().startswith(b"HTTP/1.1 400 Bad Request")


def connection(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", httpx.URL(url).port), timeout=60)


def request(length: object, body: bytes) -> bytes:
    head = f"POST /{CALL}train HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode() + body


@pytest.mark.slow
def test_whoever_sends_too_slowly_is_told_so_and_nobody_waits(app_url, monkeypatch):
    monkeypatch.setattr(limits, "MAX_REQUEST_SECONDS", 0.5)
    with connection(app_url) as line:
        line.sendall(request(1000, b'{"data":'))
        assert lives(app_url)
        told = line.makefile("rb").read().decode()

    assert told.startswith("HTTP/1.1 408")
    assert told.endswith("That took too long to arrive. Send it once more.")


@pytest.mark.slow
def test_whoever_leaves_in_the_middle_of_a_request_leaves_nothing_in_the_log(quiet_app):
    with connection(quiet_app.url) as line:
        line.sendall(request(1000, b'{"data":'))


@with_curl
@pytest.mark.parametrize("chunked", [False, True], ids=["in one piece", "in chunks"])
@pytest.mark.parametrize(
    ("letters", "status"), [(10, 200), (MAX_REQUEST_BYTES - 100, 200), (3 * MAX_REQUEST_BYTES, 413)]
)
@pytest.mark.slow
def test_curl_may_send_in_chunks_and_what_counts_is_the_bytes(
    quiet_app, tmp_path, letters, status, chunked
):
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"data": [[], "x" * letters]}))
    options = ["-sS", "-H", "Content-Type: application/json", "-w", "\n%{http_code}"]
    options += ["-H", "Transfer-Encoding: chunked"] if chunked else []

    curl = subprocess.run(
        [CURL, *options, "--data-binary", f"@{body}", f"{quiet_app.url}{CALL}train"],
        capture_output=True,
        text=True,
    )

    assert (curl.returncode, curl.stderr) == (0, "")
    told, code = curl.stdout.rsplit("\n", 1)
    assert int(code) == status
    assert told == "That is too much for one request." if status == 413 else "event_id" in told


@with_curl
@pytest.mark.slow
def test_the_curl_lines_of_the_docs_teach_goldfish(own_app, tmp_path):
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"```bash\n(app=.*?)```", page, re.DOTALL)
    (tmp_path / "data").symlink_to(DATA)

    curl = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines.replace("http://127.0.0.1:7860/", own_app.url)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (curl.returncode, curl.stderr) == (0, "")
    *_, event, data = [line for line in curl.stdout.splitlines() if line]
    [[summary, adapter]] = json.loads(data.removeprefix("data: "))
    assert event == "event: complete"
    assert (summary["pictures_read"], summary["class_name"]) == (5, "goldfish")
    assert (summary["placement"], summary["rank"], len(summary["losses"])) == ("pixels", 10, 100)
    assert HTTP.get(f"{own_app.url}gradio_api/file={adapter['path']}").status_code == 200


@pytest.mark.slow
def test_compare_takes_two_arguments_and_train_takes_names(own_app, picture):
    named = {"pictures": [picture], "class_name": "goldfish", "placement": "head", "epochs": 1}
    [[_, adapter]] = result(own_app, "v2/train", named)

    [both] = result(own_app, "compare", {"data": [picture, {"path": adapter["path"]}]})

    assert len(both["base"]) == len(both["adapted"]) == 5


def result(app: OwnApp, endpoint: str, body: dict) -> list:
    sent = HTTP.post(f"{app.url}{CALL}{endpoint}", json=body).raise_for_status().json()
    stream = HTTP.get(f"{app.url}{CALL}{endpoint}/{sent['event_id']}").text
    *_, event, data = [line for line in stream.splitlines() if line]
    assert event == "event: complete", data
    return json.loads(data.removeprefix("data: "))


def broken(number: int = 0) -> float:
    return 1 / number


def test_an_error_of_our_own_is_logged_in_full(capsys):
    with Page() as demo:
        gr.api(broken, api_name="broken")
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, app_kwargs=dict(server.DOOR))
    try:
        answer(OwnApp(url, Path()), f"{CALL}broken", '{"data": []}')
    finally:
        demo.close()

    log = capsys.readouterr().err
    assert "Traceback" in log
    assert "in broken" in log
    assert "ZeroDivisionError" in log
