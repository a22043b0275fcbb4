"""What comes in over HTTP: whom the app, a process of its own, answers, and what it takes."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from lora_demo.limits import MAX_REQUEST_BYTES
from tests.conftest import DATA
from tests.support.stranger import Attacked, attacked
from tests.support.wire import page_events, train, upload

HTTP = httpx.Client(timeout=60)  # one: each would read the certificates anew
GOLDFISH = DATA / "goldfish" / "1.png"
FORM = {"files": ("1.png", GOLDFISH.read_bytes(), "image/png")}
NO_ENDPOINT = "There is no endpoint of that name"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("alone")) as app:
        yield app


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """As it runs behind a proxy at https://lora.example/lab."""
    settings = {"GRADIO_ROOT_PATH": "/lab", "LORA_DEMO_HOSTS": "Lora.example, other.example"}
    with attacked(tmp_path_factory.mktemp("proxied"), **settings) as app:
        yield app


def post(app: Attacked, path: str, **more) -> httpx.Response:
    return HTTP.post(f"{app.url}{path}", **more)


NO_UPLOAD = (
    "gradio_api/run/upload",
    "gradio_api/api/upload",
    "gradio_api/run/gradio_api%2Fupload",
    "gradio_api/upload/",
    "/gradio_api/upload",
    "x/gradio_api/upload",
    "gradio_api/queue/join",
    "gradio_api/call/train",
    "gradio_api/run/predict",
    "gradio_api/process_recording",
)


def test_only_the_upload_route_takes_more_than_a_megabyte(app):
    body = json.dumps({"fn_index": 0, "data": [[app.picture()] * 15_000]})
    assert len(body) > MAX_REQUEST_BYTES

    with app.pings() as pings:
        for path in NO_UPLOAD:
            for kind in ("application/json", "multipart/form-data; boundary=b"):
                answer = post(app, path, content=body, headers={"Content-Type": kind})
                assert answer.status_code in (404, 413), (path, kind, answer.text)
        time.sleep(1)

    assert pings.longest < 0.5


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "x-multipart/form-data"])
def test_an_upload_that_is_no_form_is_held_to_a_megabyte(app, kind):
    body = b"x" * 3 * MAX_REQUEST_BYTES
    answer = post(app, "gradio_api/upload", content=body, headers={"Content-Type": kind})

    assert answer.status_code == 413


def test_what_is_private_or_queued_is_called_only_as_the_page_does(app):
    events, _ = page_events(app.url)
    waiting = next(e for e in events if e["queue"] and e["backend_fn"] and not e["inputs"][1:])
    for path in ("run/x", "api/x", "run/predict", f"run/{waiting['api_name']}", "run/train"):
        body = {"fn_index": waiting["id"], "data": [None], "session_hash": "stranger"}
        answer = post(app, f"gradio_api/{path}", json=body)
        assert answer.status_code == 404, path
        assert len(answer.json()["detail"]) > 20
    for event in events:
        if event["api_visibility"] == "private":
            for path in (f"call/{event['api_name']}", f"call/v2/{event['api_name']}/"):
                assert NO_ENDPOINT in post(app, f"gradio_api/{path}", json={"data": []}).text


@pytest.mark.parametrize(
    "path", ["component_server", "process_recording", "vibe-edit", "stream/x", "login", "nothing"]
)
def test_what_no_page_sends_is_not_there(app, path):
    assert NO_ENDPOINT in post(app, f"gradio_api/{path}", json={}).text


def test_no_call_writes_the_values_of_a_session_to_the_disk(app):
    assert HTTP.get(f"{app.url}gradio_api/deep_link?session_hash=x").status_code == 404


FOREIGN = {
    "a page without a name": {"Origin": "null"},
    "another website": {"Origin": "https://evil.example"},
    "another website of a like name": {"Origin": "http://localhost.evil.example"},
    "another program here": {"Origin": "http://127.0.0.1:1"},
    "no address": {"Origin": "http://[::1"},
    "a browser that says so": {"Sec-Fetch-Site": "cross-site"},
    "a browser that says so, of a name that it forged": {
        **{"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
        "Sec-Fetch-Site": "cross-site",
    },
    "an old browser, of a name that it forged": {
        **{"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}
    },
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_what_another_website_sends_is_refused(app, headers):
    for path, body in (
        ("gradio_api/upload", {"files": FORM}),
        ("gradio_api/queue/join", {"json": {"data": []}}),
        ("gradio_api/call/train", {"json": {"data": []}}),
    ):
        answer = post(app, path, headers=headers, **body)
        assert answer.status_code == 403
        assert answer.text.startswith("Another website sent this, so it was not done.")


def own(name: str, scheme: str = "http") -> dict[str, str]:
    return {"Host": name, "Origin": f"{scheme}://{name}"}


OWN = {
    "no browser": {},
    "a browser on plain http": own("127.0.0.1:7860"),
    "by the other name": own("localhost:7860"),
    "by the third": own("[::1]:7860"),
    "a browser that says so": {"Origin": "http://x.example", "Sec-Fetch-Site": "same-origin"},
}


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
def test_what_the_page_and_programs_send_is_taken(app, headers):
    assert post(app, "gradio_api/upload", files=FORM, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost:x", "[::1"]
)
def test_a_foreign_name_for_this_computer_is_not_answered(app, host):
    for path in ("", "config", "healthz", "gradio_api/info"):
        answer = HTTP.get(f"{app.url}{path}", headers={"Host": host})
        assert answer.status_code == 403
        assert "LORA_DEMO_HOSTS=that.name" in answer.text
    assert post(app, "gradio_api/upload", files=FORM, headers=own(host)).status_code == 403


@pytest.mark.parametrize("prefix", ["", "lab/"], ids=["cut off by the proxy", "passed on"])
def test_behind_a_proxy_the_page_works_by_the_names_that_were_set(proxied, prefix):
    for headers in (
        own("lora.example", "https"),
        own("other.example:8080"),
        {"Host": "127.0.0.1:7860", "Origin": "https://lora.example"},  # by a proxy that hides it
        {"Host": "lora.example:443", "Origin": "https://lora.example"},
    ):
        answer = post(proxied, f"{prefix}gradio_api/upload", files=FORM, headers=headers)
        assert answer.status_code == 200, answer.text
    assert HTTP.get(f"{proxied.url}{prefix}healthz").text == "ok"
    assert HTTP.get(proxied.url, headers={"Host": "evil.example"}).status_code == 403
    big = b"x" * 3 * MAX_REQUEST_BYTES
    assert post(proxied, f"{prefix}gradio_api/run/upload", content=big).status_code == 404
    assert post(proxied, f"{prefix}gradio_api/call/train", content=big).status_code == 413


def test_an_app_for_all_computers_answers_by_any_name(tmp_path):
    with attacked(tmp_path, GRADIO_SERVER_NAME="0.0.0.0") as app:
        headers = own("goldfish-lora.hf.space", "https")
        assert HTTP.get(app.url, headers=headers).status_code == 200
        assert post(app, "gradio_api/upload", files=FORM, headers=headers).status_code == 200
        other = headers | {"Origin": "https://huggingface.co"}
        assert post(app, "gradio_api/upload", files=FORM, headers=other).status_code == 403


def test_the_endpoints_go_on(app):
    picture = upload(app.url, "1.png", GOLDFISH.read_bytes())
    assert train(app.url, pictures=[picture]).event == "complete"
