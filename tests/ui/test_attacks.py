"""Files, values and sessions that mean harm: each is refused in words, at once, and alone.

Nothing in them is run, nobody is shown what is another's, and the app is as fast afterwards.
"""

import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import expect

from lora_demo import AdapterFileError, LoraDemoError, load_adapter, open_image
from lora_demo.limits import MAX_LORA_BYTES
from tests.conftest import DATA
from tests.fuzz import CORPUS, READERS
from tests.support import hostile_adapters
from tests.support.at_once import at_once
from tests.support.hostile_adapters import CANARY, HOSTILE, MARKUP
from tests.support.hostile_pictures import KINDS, POLYGLOTS, REFUSED, SCRIPT, cut, noise, whole
from tests.support.wire import FILE, Answer, call, join, page_events, train, upload

GOLDFISH = DATA / "goldfish" / "1.png"
PATH_TRICKS = {
    "up": "../../../../canary.png",
    "up, encoded": "..%2f..%2f..%2fcanary.png",
    "up, as in Windows": "..\\..\\canary.png",
    "from the root": "/canary.png",
    "hidden": ".canary.png",
    "without end": "canary" * 100 + ".png",
    "markup": f"{MARKUP}.png",
    "turned around": "canary\u202egnp.exe.png",
    "a folder": "canary/.png",
}


def assert_in_words(answer: Answer) -> None:
    """A sentence for visitors, which tells nothing of the server."""
    assert answer.event == "error", answer.text
    assert len(answer.last["error"]) < 1000
    assert answer.last["error"].endswith((".", "?")), answer.last
    assert_tells_nothing(answer.text)


def assert_tells_nothing(text: str) -> None:
    for secret in ("Traceback", 'File \\"', "site-packages", os.environ["GRADIO_TEMP_DIR"]):
        assert secret not in text
    assert str(Path(__file__).parents[2]) not in text


@pytest.fixture(autouse=True)
def nothing_was_run() -> Iterator[None]:
    yield
    assert not CANARY.exists()


@pytest.fixture(scope="module")
def good(app_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """A picture and a LoRA, uploaded."""
    path = tmp_path_factory.mktemp("good") / "lora.safetensors"
    hostile_adapters.with_spec(path)
    picture = upload(app_url, "1.png", GOLDFISH.read_bytes())
    return picture, upload(app_url, path.name, path.read_bytes())


def usual_seconds(app_url: str, good: tuple[dict, dict]) -> float:
    """Of one comparison, in the middle of several."""
    took = []
    for _ in range(7):
        started = time.perf_counter()
        assert call(app_url, "compare", [*good, None]).event == "complete"
        took.append(time.perf_counter() - started)
    return statistics.median(took)


@pytest.fixture(scope="module", autouse=True)
def no_slower_afterwards(app_url: str, good: tuple[dict, dict]) -> Iterator[None]:
    """All the attacks of this module lie between the two comparisons."""
    call(app_url, "compare", [*good, None])
    before = usual_seconds(app_url, good)
    yield
    assert usual_seconds(app_url, good) < 3 * before + 0.1


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.slow
def test_a_bad_picture_sent_to_the_app_is_named_with_its_reason(app_url, make, reason):
    answer = train(app_url, pictures=[upload(app_url, "cat.jpg", make())])

    assert_in_words(answer)
    assert reason in answer.last["error"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_pictures_cut_short_are_named_by_the_app_and_the_others_go_on(app_url, good, kind):
    sent = [upload(app_url, f"{at}.jpg", data) for at, data in cut(whole(kind)).items()]

    answer = train(app_url, pictures=[good[0], *sent])

    assert answer.event == "complete"
    summary = answer.last[0]
    assert summary["pictures_read"] + len(summary["pictures_refused"]) == 20
    assert summary["pictures_read"] <= 2
    assert {refusal["file_name"] for refusal in summary["pictures_refused"]} >= {"5.jpg", "90.jpg"}


@pytest.mark.parametrize("make", POLYGLOTS.values(), ids=POLYGLOTS)
def test_what_is_hidden_in_a_picture_stays_there(tmp_path, app_url, make):
    (tmp_path / "both.png").write_bytes(make())
    kind = Image.open(tmp_path / "both.png").format
    (tmp_path / "plain.png").write_bytes(whole(kind))

    images = [open_image(tmp_path / name) for name in ("both.png", "plain.png")]
    answer = train(app_url, pictures=[upload(app_url, "both.png", make())])

    assert ImageChops.difference(*images).getbbox() is None
    assert answer.event == "complete"
    assert SCRIPT.decode() not in answer.text


def test_more_pictures_than_fit_are_counted_and_refused(app_url, good):
    answer = train(app_url, pictures=[{"path": good[0]["path"]}] * 2_000)

    assert_in_words(answer)
    assert "There are 2,000 pictures" in answer.last["error"]


@pytest.mark.parametrize("chunked", [False, True], ids=["in one piece", "in chunks"])
def test_ten_thousand_pictures_are_refused_at_the_door(app_url, good, chunked):
    body = json.dumps({"data": [[good[0]] * 10_000, "goldfish"]}).encode()
    url = f"{app_url}gradio_api/call/train"
    head = {"Content-Type": "application/json"}

    with at_once():
        answer = httpx.post(url, content=iter([body]) if chunked else body, headers=head)

    assert answer.status_code == 413
    assert answer.text == "That is too much for one request."


@pytest.mark.parametrize(("make", "suffix"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.slow
def test_a_hostile_adapter_sent_to_the_app_is_refused(app_url, good, tmp_path, make, suffix):
    path = tmp_path / f"lora{suffix}"
    make(path)
    if path.stat().st_size > MAX_LORA_BYTES:
        pytest.skip("too many bytes are refused at the door, as another test shows")

    answer = call(
        app_url, "compare", [good[0], upload(app_url, path.name, path.read_bytes()), None]
    )

    assert_in_words(answer)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_adapter_cut_short_is_refused(app_url, good, tmp_path, model, suffix):
    path = tmp_path / f"lora{suffix}"
    {".pth": hostile_adapters.state, ".safetensors": hostile_adapters.with_spec}[suffix](path)
    load_adapter(path, model)

    for percent, data in cut(path.read_bytes()).items():
        path.write_bytes(data)
        with pytest.raises(AdapterFileError, match="cut short"):
            load_adapter(path, model)
        if percent in (5, 50, 95):
            sent = upload(app_url, path.name, data)
            assert_in_words(call(app_url, "compare", [good[0], sent, None]))


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*.bin")), ids=lambda path: path.name[:8])
def test_what_once_failed_is_read_or_refused_at_once(path):
    with at_once(), suppress(LoraDemoError):
        READERS[path.parent.name].read(path.read_bytes())


VALUES = {
    "rank of a billion": ({"rank": 10**9}, "rank is 1000000000"),
    "rank without end": ({"rank": 10**400}, "rank is 1"),
    "rank as text": ({"rank": "10"}, "rank is 10"),
    "rank true": ({"rank": True}, "rank is True"),
    "rank NaN": ({"rank": float("nan")}, "rank is nan"),
    "rank nested": ({"rank": [[[[[[]]]]]]}, r"rank is [[["),
    "a billion epochs": ({"epochs": 10**9}, "epochs is 1000000000"),
    "no epochs": ({"epochs": 0}, "epochs is 0"),
    "half an epoch": ({"epochs": 1.5}, "epochs is 1.5"),
    "learning rate NaN": ({"learning_rate": float("nan")}, "learning_rate is nan"),
    "learning rate infinite": ({"learning_rate": float("inf")}, "learning_rate is inf"),
    "learning rate negative": ({"learning_rate": -1}, "learning_rate is -1"),
    "learning rate as text": ({"learning_rate": "fast"}, "learning_rate is fast"),
    "learning rate true": ({"learning_rate": True}, "learning_rate is True"),
    "seed negative": ({"seed": -1}, "seed is -1"),
    "seed too large": ({"seed": 2**63}, "seed is 9"),
    "seed with a point": ({"seed": 0.5}, "seed is 0.5"),
    "strength NaN": ({"strength": float("nan")}, "strength is nan"),
    "strength true": ({"strength": True}, "strength is True"),
    "strength full": ({"strength": "full"}, "strength is full"),
    "strength negative": ({"strength": -0.1}, "strength is -0.1"),
    "an unknown model": ({"base_model": "resnet"}, "“resnet” is no base model"),
    "a model as a path": ({"base_model": "../../etc/passwd"}, "is no base model"),
    "a model that is no text": ({"base_model": {}}, "is no base model"),
    "a model that is not here": ({"base_model": "vgg19"}, "are not on this computer yet"),
    "an unknown placement": ({"placement": "everywhere"}, "placement is “everywhere”"),
    "no placement": ({"placement": None}, "placement is “None”"),
    "a placement of lists": ({"placement": [[]]}, "placement is “[[]]”"),
    "a class misspelled": ({"class_name": "goldfisch"}, "The nearest are: goldfish"),
    "a class as a list": ({"class_name": ["goldfish"]}, "class_name is ['goldfish']"),
    "a class without end": ({"class_name": "x" * 10**6}, "A text of 1,000,000 letters"),
    "a class of markup": ({"class_name": MARKUP}, "&lt;img src=x"),
    "a word of markup": ({"class_name": MARKUP, "new_word": True}, "cannot be a new word"),
    "a word with a NUL": ({"class_name": "a\0b", "new_word": True}, "cannot be a new word"),
    "a word of nothing": ({"class_name": "", "new_word": True}, "cannot be a new word"),
    "new word as a number": ({"new_word": 1}, "new_word is 1"),
    "no pictures": ({"pictures": []}, "There are 0 pictures"),
    "pictures as text": ({"pictures": "all"}, "A file is expected here"),
    "pictures as a number": ({"pictures": 7}, "A file is expected here"),
    "pictures as lists": ({"pictures": [[[]]]}, "A file is expected here"),
    "a picture without a path": ({"pictures": [{}]}, "not uploaded here"),
    "a path with a NUL": ({"pictures": [{"path": "a\0b"}]}, "not uploaded here"),
    "a path without end": ({"pictures": [{"path": "a/" * 10**5}]}, "A text of 200,000 letters"),
    "a path that is a list": ({"pictures": [{"path": ["/etc/passwd"]}]}, "not uploaded here"),
    "a file of the server": ({"pictures": [{"path": "/etc/passwd"}]}, "not uploaded here"),
    "its own source": ({"pictures": [{"path": __file__}]}, "not uploaded here"),
    "a web address": ({"pictures": [{"path": "http://127.0.0.1/1.png"}]}, "not uploaded here"),
    "other things as text": ({"not_this": "all"}, "A file is expected here"),
    "other things as 0": ({"not_this": 0}, "A file is expected here"),
    "other things as lists": ({"not_this": [[None]]}, "A file is expected here"),
    "other things of the server": ({"not_this": [{"path": "/etc/passwd"}]}, "not uploaded here"),
    "1,000 other things": ({"not_this": [{}] * 1000}, "There are 1,001 pictures"),
    "2,000 other things": ({"not_this": [{}] * 2000}, "There are 2,000 pictures"),
    "the folder of uploads": ({"pictures": [{"path": "."}]}, "not uploaded here"),
}


@pytest.mark.parametrize(("values", "text"), VALUES.values(), ids=VALUES)
def test_a_wrong_value_is_named(app_url, good, values, text):
    answer = train(app_url, **{"pictures": [good[0]], **values})

    assert_in_words(answer)
    assert text in answer.last["error"]


def test_a_picture_in_both_lists_is_named_and_teaches_once(app_url, good):
    answer = train(app_url, pictures=[good[0]], not_this=[good[0]])

    assert answer.event == "complete"
    summary = answer.last[0]
    assert (summary["pictures_read"], summary["corrections"]) == (1, 0)
    [refusal] = summary["pictures_refused"]
    assert "once as “goldfish” and once as “none of these”" in refusal["reason"]


@pytest.mark.parametrize("strength", [-1, 2.1, "strong", True, float("nan"), [1]], ids=str)
def test_a_wrong_strength_is_named(app_url, good, strength):
    answer = call(app_url, "compare", [*good, strength])

    assert_in_words(answer)
    assert f"strength is {strength}" in answer.last["error"]


@pytest.mark.parametrize("name", PATH_TRICKS.values(), ids=PATH_TRICKS)
def test_a_file_lands_among_the_uploads_whatever_its_name(app_url, name):
    uploads = Path(os.environ["GRADIO_TEMP_DIR"]).resolve()

    sent = upload(app_url, name, GOLDFISH.read_bytes())

    landed = Path(sent["path"])
    assert landed.resolve().is_relative_to(uploads)
    assert "<" not in landed.name
    assert train(app_url, pictures=[sent]).event == "complete"


@pytest.mark.slow
def test_no_event_of_the_page_reads_a_file_that_was_not_uploaded(app_url, tmp_path):
    """Every event that a browser can send, with a file of the server's wherever one fits."""
    secret = tmp_path / "secret.png"
    noise().resize((80, 80)).save(secret)
    lora = tmp_path / "secret.safetensors"
    hostile_adapters.with_spec(lora, class_names=["tench"])
    events, components = page_events(app_url)
    fits = {
        "gallery": lambda meta: [{"image": {"path": str(secret), **meta}, "caption": "goldfish"}],
        "image": lambda meta: {"path": str(secret), **meta},
        "uploadbutton": lambda meta: {"path": str(lora), **meta},
        "file": lambda meta: {"path": str(lora), **meta},
    }
    tried = 0
    for event in events:
        inputs = [components[i] for i in event["inputs"]]
        if not (event["backend_fn"] and fits.keys() & {c["type"] for c in inputs}):
            continue
        for meta in ({}, FILE):
            data = [fits[c["type"]](meta) if c["type"] in fits else value_of(c) for c in inputs]
            more = {"paths": [str(secret)], "index": 0, "value": None}  # an arrival, or a choice
            answer = str(join(app_url, event, data, f"stranger-{tried}", more))
            assert "taught tench" not in answer
            assert str(tmp_path) not in answer
            if any(components[i]["type"] == "gallery" for i in event["outputs"]):
                answer = answer.replace(os.environ["GRADIO_TEMP_DIR"], "")  # of our own pictures
            assert_tells_nothing(answer)
            tried += 1

    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    copies = {path for path in uploads.rglob("*") if path.is_file() and path.stem == "secret"}
    assert tried >= 8
    assert copies == set()


def value_of(component: dict) -> object:
    return component["props"].get("value")


def of_the_page(app_url: str, elem_id: str, trigger: str | None = None) -> dict:
    """The first event that changes a component; with a trigger, of those of that kind."""
    events, components = page_events(app_url)
    number = next(i for i, c in components.items() if c["props"].get("elem_id") == elem_id)
    return next(
        e
        for e in events
        if number in e["outputs"]
        and e["backend_fn"]
        and trigger in (None, *(kind for _, kind in e["targets"]))
    )


def test_a_guessed_session_gets_nothing_of_another_visitor(app_url, tmp_path):
    visitor = "k3v9x2p8a1z"
    hostile_adapters.with_spec(tmp_path / "lora.safetensors", class_names=["tench"])
    lora = upload(app_url, "lora.safetensors", (tmp_path / "lora.safetensors").read_bytes())
    picture = upload(app_url, "mine.png", GOLDFISH.read_bytes())
    load = next(e for e in page_events(app_url)[0] if e["targets"][0][1] == "upload")
    take = of_the_page(app_url, "trial", "arrive")
    compare = of_the_page(app_url, "comparison")
    components = page_events(app_url)[1]

    def ask(event: dict, session: object, first: object = None, more: object = None) -> str:
        states = [components[i]["type"] == "state" for i in event["inputs"]]
        data = [None if state else first for state in states]
        return str(join(app_url, event, data, session, more))

    def asks(session: object) -> str:
        inputs = [components[i] for i in compare["inputs"]]
        return str(join(app_url, compare, [value_of(c) for c in inputs], session))

    assert "tench" in ask(load, visitor, lora)
    assert "mine.png" in ask(take, visitor, None, {"paths": [picture["path"]]})

    assert "tench" in asks(visitor)  # so that there is something to be had
    for guess in (
        visitor[:-1],
        visitor.upper(),
        f"{visitor} ",
        f"{visitor}\0",
        f"../{visitor}",
        "*",
    ):
        assert "tench" not in asks(guess), guess
    assert visitor not in httpx.get(f"{app_url}config").text


def test_the_app_lives_while_it_refuses(app_url):
    assert httpx.get(f"{app_url}healthz", timeout=5).text == "ok"


@pytest.mark.expects("is for a network unknown here", "error badge")
def test_markup_in_names_is_shown_as_text(page, tmp_path):
    bad = {"name": f"{MARKUP}.png", "mimeType": "image/png", "buffer": SCRIPT}
    for gallery in ("pictures", "trial"):
        page.locator(f"#{gallery}-tray .door input[type=file]").set_input_files([bad])
    expect(page.get_by_text("is not a picture").first).to_be_visible()

    for name, changes in (("model", {"model_name": MARKUP}), ("class", {"class_names": [MARKUP]})):
        hostile_adapters.with_spec(tmp_path / f"{name}.safetensors", **changes)
        file = {"name": f"{name}{MARKUP}.safetensors", "mimeType": "application/octet-stream"}
        file["buffer"] = (tmp_path / f"{name}.safetensors").read_bytes()
        page.get_by_test_id("Load a LoRA file-upload-button").set_input_files([file])
        expect(page.get_by_text(MARKUP).last).to_be_visible()

    assert page.evaluate("window.hit") is None
