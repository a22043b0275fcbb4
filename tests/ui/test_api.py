"""The two endpoints, called as anybody would: with gradio_client, and with plain HTTP."""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from gradio_client import handle_file
from PIL import Image

from lora_demo import fit, judge, leave_one_out, load_adapter, read_adapter_spec, read_feature_set
from lora_demo.limits import MAX_LORA_BYTES
from lora_demo.lora.recipes import TrainingSettings
from lora_demo.lora.spec import AdapterSpec
from lora_demo.serving.job import STOPPED
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.tasks import read_unrelated
from lora_demo.ui.samples import flatten, unrelated_paths
from lora_demo.ui.tidying import tidy
from tests.conftest import DATA
from tests.support.wire import call

HELD_OUT = handle_file(DATA / "goldfish" / "held_out" / "1.png")


@pytest.fixture
def pictures(goldfish):
    return [handle_file(picture.path) for picture in goldfish]


def run(job) -> list:
    """Every output of a job; `for output in job` would never end where it failed to start."""
    job.result(timeout=60)
    return job.outputs()


def test_only_the_two_endpoints_are_public(client):
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/train", "/compare"}
    assert client.view_api(return_format="dict")["unnamed_endpoints"] == {}


@pytest.mark.slow
def test_train_streams_progress_and_ends_with_an_adapter(client, pictures, model, goldfish):
    outputs = run(
        client.submit(
            pictures,
            "goldfish",
            placement="head",
            rank=4,
            epochs=50,
            seed=3,
            api_name="/train",
        )
    )
    summary, file = outputs[-1]

    assert len(outputs) >= 2
    assert all(adapter is None for _, adapter in outputs[:-1])
    spec = AdapterSpec(model.name, "head", 4, 3, ("goldfish",))
    features = read_feature_set(model, goldfish)
    *_, here = fit(model, features, spec, TrainingSettings(50))
    *_, held_back = leave_one_out(model, features, spec, TrainingSettings(50))
    assert summary["losses"] == pytest.approx([point.loss for point in here.points])
    assert summary["seconds"] > 0
    broken = summary.pop("broken")
    assert all(s["broken"] is s["leave_one_out"] is None for s, _ in outputs[:-1])
    assert {name: summary[name] for name in summary if name not in ("losses", "seconds")} == {
        "trainable_parameters": 4 * (1280 + 1000),
        "pictures_read": 5,
        "pictures_refused": [],
        "base_model": "efficientnet_lite0",
        "class_name": "goldfish",
        "placement": "head",
        "rank": 4,
        "seed": 3,
        "strength": 1.0,
        "corrections": 0,
        "leave_one_out": {
            "base": 0,
            "adapted": held_back.adapted.correct,
            "total": 5,
            "left_alone": 0,
            "others": 0,
        },
        "before_you": None,
    }
    others = flatten(unrelated_paths(["goldfish"]))
    *_, result = judge(model, features, here, read_unrelated(model, others).values())
    assert broken == {
        "changed": result.pictures_broken.changed,
        "captured": result.pictures_broken.captured,
        "total": 25,
        "classes_changed": result.classes_broken.changed,
    }
    assert broken["changed"] >= 3
    assert read_adapter_spec(file) == replace(spec, strength=1.0, corrections=0)
    assert load_adapter(file, model).lora.A.equal(here.adapter.lora.A)


@pytest.mark.slow
def test_everything_but_pictures_and_class_has_a_default(client, pictures):
    summary, file = run(client.submit(pictures, "Goldfish", api_name="/train"))[-1]

    assert (summary["base_model"], summary["placement"]) == ("efficientnet_lite0", "pixels")
    assert (summary["rank"], summary["seed"], len(summary["losses"])) == (10, 0, 100)
    assert summary["class_name"] == "goldfish"
    assert Path(file).name == "lora-goldfish.safetensors"


@pytest.mark.slow
def test_guarded_finds_its_strength_and_keeps_it_in_the_file(client, pictures):
    summary, file = run(
        client.submit(pictures, "goldfish", placement="guarded", api_name="/train")
    )[-1]
    asked, _ = run(
        client.submit(pictures, "goldfish", placement="guarded", strength=0.25, api_name="/train")
    )[-1]

    assert 0.5 <= summary["strength"] == read_adapter_spec(file).strength <= 2
    assert asked["strength"] == 0.25
    own = client.predict(HELD_OUT, handle_file(file), api_name="/compare")
    same = client.predict(HELD_OUT, handle_file(file), summary["strength"], api_name="/compare")
    assert own == same


def test_pictures_of_other_things_teach_what_not_to_call_so(client, pictures):
    snails = [handle_file(str(path)) for path in sorted((DATA / "snail").glob("*.png"))[:3]]
    summary, file = run(
        client.submit(pictures, "goldfish", placement="guarded", not_this=snails, api_name="/train")
    )[-1]

    assert (summary["pictures_read"], summary["corrections"]) == (8, 3)
    assert summary["leave_one_out"]["others"] == 3
    assert read_adapter_spec(file).corrections == 3


def test_a_new_word_is_taught_when_it_is_asked_for(client, pictures):
    summary, file = run(
        client.submit(pictures, "my mug", placement="guarded", new_word=True, api_name="/train")
    )[-1]

    assert summary["class_name"] == "my mug"
    answer = client.predict(pictures[0], handle_file(file), api_name="/compare")
    assert answer["adapted"][0]["class_name"] == "my mug"


def test_one_picture_has_no_fair_test_but_all_else(client, pictures):
    summary, _ = run(
        client.submit(pictures[:1], "goldfish", placement="guarded", api_name="/train")
    )[-1]

    assert set(summary["leave_one_out"].values()) == {0}
    assert summary["broken"]["total"] == 25
    assert summary["strength"] == 1.5


@pytest.mark.slow
def test_compare_answers_both_top_fives(client, pictures):
    _, file = run(client.submit(pictures, "goldfish", placement="head", api_name="/train"))[-1]

    answer = client.predict(HELD_OUT, handle_file(file), api_name="/compare")
    off = client.predict(HELD_OUT, handle_file(file), strength=0, api_name="/compare")

    for side in ("base", "adapted"):
        probabilities = [row["probability"] for row in answer[side]]
        assert len(answer[side]) == 5
        assert probabilities == sorted(probabilities, reverse=True)
        assert {type(row["class_name"]) for row in answer[side]} == {str}
    assert answer["base"][0]["class_name"] != "goldfish"
    assert answer["adapted"][0]["class_name"] == "goldfish"
    assert off["adapted"] == off["base"] == answer["base"]


def test_a_bad_file_is_refused_by_name_and_the_others_go_on(client, pictures, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")

    summary, _ = run(
        client.submit(
            [*pictures, handle_file(tmp_path / "broken.jpg")],
            "goldfish",
            placement="head",
            epochs=2,
            api_name="/train",
        )
    )[-1]

    assert summary["pictures_read"] == 5
    [refused] = summary["pictures_refused"]
    assert refused["file_name"] == "broken.jpg"
    assert "not a picture" in refused["reason"]


@pytest.fixture
def secret(tmp_path) -> Path:
    """A picture on the server that nobody uploaded."""
    path = tmp_path / "secret.png"
    Image.new("RGB", (64, 64)).save(path)
    return path


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}], ids=["bare", "meta"])
def test_a_path_that_was_not_uploaded_is_refused(app_url, secret, meta):
    answer = call(app_url, "train", [[{"path": str(secret), **meta}], "goldfish"])

    assert answer.event == "error"
    assert "losses" not in answer.text


def test_a_path_out_of_the_uploads_is_refused(app_url, secret):
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    around = uploads / ".." / os.path.relpath(secret, uploads.parent)
    assert around.is_file()
    answer = call(
        app_url,
        "train",
        [[{"path": str(around), "meta": {"_type": "gradio.FileData"}}], "goldfish"],
    )

    assert answer.event == "error"
    assert "losses" not in answer.text


def test_monitoring_and_files_of_the_server_are_closed(app_url, secret):
    for path in ("monitoring/summary", f"gradio_api/file={secret}", "gradio_api/file=/etc/passwd"):
        assert httpx.get(f"{app_url}{path}").status_code in (403, 404), path


def test_too_many_bytes_are_refused_at_the_door(app_url):
    files = {"files": ("big.png", bytes(MAX_LORA_BYTES + 1), "image/png")}

    assert httpx.post(f"{app_url}gradio_api/upload", files=files).status_code == 413


def test_a_training_of_a_client_that_leaves_ends(client, pictures, monkeypatch):
    jobs, submit = [], QUEUE.submit_all
    spy = lambda new, *more: jobs.extend(new) or submit(new, *more)  # noqa: E731
    monkeypatch.setattr(QUEUE, "submit_all", spy)
    call = client.submit(pictures, "goldfish", epochs=1000, rank=64, api_name="/train")
    while not any(summary["losses"] for summary, _ in call.outputs()):
        assert not call.done()
        time.sleep(0.05)

    call.cancel()

    assert jobs[0].done.wait(20)
    assert jobs[0].end_reason == STOPPED
    assert not jobs[0].newest.done


@pytest.mark.slow
def test_the_largest_lora_can_be_sent_back(client, pictures):
    _, file = run(client.submit(pictures, "goldfish", rank=64, epochs=1, api_name="/train"))[-1]

    assert client.predict(HELD_OUT, handle_file(file), api_name="/compare")["adapted"]


def test_adapter_files_are_deleted_after_an_hour(client, pictures):
    run(client.submit(pictures, "goldfish", placement="head", epochs=1, api_name="/train"))
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    made = {file.parent for file in uploads.rglob("lora-*.safetensors")}
    for old in made:
        os.utime(old, (time.time() - 3601,) * 2)

    tidy([])

    assert made
    assert not any(folder.exists() for folder in made)


def test_the_health_check_answers(app_url):
    with urlopen(f"{app_url}healthz", timeout=5) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")


def test_the_log_has_a_line_for_a_training_and_nothing_of_the_visitor(client, caplog):
    caplog.set_level(logging.INFO, logger="lora_demo")
    pictures = [handle_file(DATA / "snail" / f"{number}.png") for number in (1, 2)]

    client.predict(pictures, "snail", placement="head", epochs=3, api_name="/train")

    [line] = [record.getMessage() for record in caplog.records if record.name == "lora_demo"]
    assert line.startswith(
        "training: efficientnet_lite0, head, rank 10, 2 pictures and 0 left out, 3 of 3 epochs, "
    )
