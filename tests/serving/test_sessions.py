"""What belongs to a visitor is found by its secret alone, bounded, and kept for an hour."""

import time
from dataclasses import replace

import pytest

from lora_demo import AdapterSpec, TrainingSettings, fit
from lora_demo.lab import judge
from lora_demo.limits import MAX_RESULTS
from lora_demo.serving import sessions as sessions_room
from lora_demo.serving.sessions import SESSIONS, Session, Sessions


@pytest.fixture
def new_result(model, features):
    def make():
        *_, progress = fit(model, features, AdapterSpec(model.name, "head", 4), TrainingSettings(1))
        *_, result = judge(model, features, progress, [])
        return result

    return make


def test_who_was_not_seen_for_an_hour_is_forgotten(new_result, monkeypatch):
    visitors = Sessions()
    session = visitors.find(None)
    session.add_result(new_result())
    secret = session.secret
    assert visitors.find(secret) is session

    monkeypatch.setattr(sessions_room, "KEEP_SECONDS", 0)
    time.sleep(0.01)
    visitors.trim()

    assert visitors.find(secret) is not session
    assert (session.results, session.adapter, session.secret) == ([], None, "")


def test_the_number_of_visitors_is_bounded(monkeypatch):
    monkeypatch.setattr(sessions_room, "MAX_VISITORS", 3)
    visitors = Sessions()
    secrets = [visitors.find(None).secret for _ in range(5)]
    visitors.trim()
    visitors.find(secrets[2])  # seen again

    assert [visitors.find(secret).secret == secret for secret in secrets[2:]] == [True] * 3
    assert visitors.find(secrets[0]).secret != secrets[0]


def test_the_bytes_of_all_visitors_are_bounded(new_result, monkeypatch):
    visitors = Sessions()
    everybody = [visitors.find(None) for _ in range(4)]
    for visitor in everybody:
        visitor.add_result(new_result())
    monkeypatch.setattr(sessions_room, "MAX_KEPT_BYTES", 2 * everybody[0].size_bytes)

    visitors.trim()

    assert [len(visitor.results) for visitor in everybody] == [0, 0, 1, 1]


def test_the_bytes_of_one_visitor_are_bounded(new_result, monkeypatch):
    session, results = Session(), [new_result() for _ in range(4)]
    for result in results[:3]:
        session.add_result(result)
    monkeypatch.setattr(sessions_room, "MAX_VISITOR_BYTES", session.size_bytes)

    session.add_result(results[3])

    assert [id(result) for result in session.results] == [id(result) for result in results[1:]]


def test_of_too_many_results_the_newest_stay(new_result):
    session, result = Session(), new_result()

    for number in range(MAX_RESULTS + 3):
        session.add_result(replace(result, seconds=float(number)))

    assert [result.seconds for result in session.results] == list(range(3, MAX_RESULTS + 3))


def test_secrets_are_long_and_different():
    secrets = {SESSIONS.find(None).secret for _ in range(100)}

    assert len(secrets) == 100
    assert min(map(len, secrets)) == 43  # 256 bits
