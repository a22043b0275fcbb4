"""What belongs to a visitor is found by its secret alone, bounded, and kept for an hour."""

import gc
import time
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from lora_demo import AdapterSpec, LabelledImage, TrainingSettings, fit, new_adapter
from lora_demo.lab import judge
from lora_demo.limits import MAX_RESULTS
from lora_demo.serving import session as session_room
from lora_demo.serving import sessions as sessions_room
from lora_demo.serving.job import Job
from lora_demo.serving.runs import Lesson
from lora_demo.serving.session import Repair, Session
from lora_demo.serving.sessions import SESSIONS, Sessions


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


def test_what_taught_and_tested_is_bounded_counted_and_forgotten(monkeypatch):
    monkeypatch.setattr(session_room, "MAX_TAUGHT", 3)
    visitors, pictures = Sessions(), [LabelledImage(Path(f"{n}.png"), None) for n in range(5)]
    session = visitors.find(None)
    before = session.size_bytes
    session.remember_taught(pictures[:4])
    session.remember_taught([pictures[1], pictures[4]])

    assert list(session.taught) == [pictures[3], pictures[1], pictures[4]]
    assert session.size_bytes > before
    session.tested, session.captured = frozenset([Path("a")]), (Path("a"),)
    session.repair = Repair(("goldfish",), 0, session.tested, session.tested, None)
    visitors.forget(session)
    assert (session.taught, session.tested) == ({}, frozenset())
    assert (session.captured, session.repair) == ((), None)


def test_the_number_of_visitors_is_bounded(monkeypatch):
    monkeypatch.setattr(sessions_room, "MAX_VISITORS", 3)
    visitors = Sessions()
    secrets = [visitors.find(None).secret for _ in range(5)]
    visitors.trim()
    visitors.find(secrets[2])  # seen again

    assert [visitors.find(secret).secret == secret for secret in secrets[2:]] == [True] * 3
    assert visitors.find(secrets[0]).secret != secrets[0]


@pytest.fixture
def room_for(new_result, monkeypatch):
    """Set the bound of all kept work to so many results."""

    def set_bound(count):
        session = Session()
        session.add_result(new_result())
        monkeypatch.setattr(sessions_room, "MAX_KEPT_BYTES", count * session.size_bytes)

    return set_bound


def test_the_bytes_of_all_visitors_are_bounded_at_every_insertion(new_result, room_for):
    visitors = Sessions()
    everybody = [visitors.find(None) for _ in range(4)]
    room_for(2)

    for visitor in everybody:
        visitor.add_result(new_result())
        visitors.make_room(visitor)

    assert [len(visitor.results) for visitor in everybody] == [0, 0, 1, 1]
    assert [bool(visitor.secret) for visitor in everybody] == [False, False, True, True]


def test_who_has_no_secret_goes_first_and_never_who_has_just_come(new_result, room_for):
    visitors = Sessions()
    named, invented = visitors.find(None), [Session() for _ in range(5)]
    room_for(2)

    for visitor in (named, *invented):
        visitor.add_result(new_result())
        visitors.make_room(visitor)

    assert [len(visitor.results) for visitor in (named, *invented)] == [1, 0, 0, 0, 0, 1]


def test_who_is_at_work_goes_after_others(new_result, room_for):
    visitors = Sessions()
    at_work, idle, new = (visitors.find(None) for _ in range(3))
    room_for(2)
    at_work.asked = Lesson(())
    at_work.asked.job = Job(lambda worker: iter(()))

    for visitor in (at_work, idle, new):
        visitor.add_result(new_result())
        visitors.make_room(visitor)

    assert [len(visitor.results) for visitor in (at_work, idle, new)] == [1, 0, 1]


def test_a_lora_is_given_back_though_an_open_page_holds_its_lesson(model, features, room_for):
    *_, progress = fit(model, features, AdapterSpec(model.name, "head", 4), TrainingSettings(1))
    visitors, session, lesson = Sessions(), Session(), Lesson(())
    lesson.job = Job(lambda worker: iter(()))
    lesson.job.newest = lesson.fitting = progress
    session.asked = session.begun = lesson
    session.adapter = progress.adapter
    adapter = weakref.ref(progress.adapter)
    del progress
    room_for(1)
    visitors.make_room(session)
    lesson.job.finish()

    other = Session(adapter=new_adapter(AdapterSpec(model.name, "head", 4), model))
    visitors.make_room(other)

    gc.collect()
    assert adapter() is None


def test_the_values_of_a_page_count_too(monkeypatch):
    monkeypatch.setattr(sessions_room, "MAX_KEPT_BYTES", 10_000)
    visitors, first, second = Sessions(), Session(), Session()

    for session in (first, second):
        session.page["word"] = "x" * 4_000
        visitors.make_room(session)

    assert [len(session.page) for session in (first, second)] == [0, 1]


def test_work_that_no_secret_finds_again_goes_after_minutes(new_result, monkeypatch):
    monkeypatch.setattr(sessions_room, "KEEP_UNNAMED_SECONDS", 0)
    visitors = Sessions()
    named, unnamed = visitors.find(None), Session()
    for session in (named, unnamed):
        session.add_result(new_result())
        visitors.make_room(session)
    time.sleep(0.01)

    visitors.trim()

    assert [len(session.results) for session in (named, unnamed)] == [1, 0]


def test_the_bytes_of_one_visitor_are_bounded(new_result, monkeypatch):
    session, results = Session(), [new_result() for _ in range(4)]
    for result in results[:3]:
        session.add_result(result)
    monkeypatch.setattr(session_room, "MAX_VISITOR_BYTES", session.size_bytes)

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
