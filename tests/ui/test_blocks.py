"""What the app's Blocks do otherwise than Gradio's."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
from gradio.server_messages import EstimationMessage, ProcessCompletedMessage
from gradio.state_holder import SessionState

from lora_demo import limits
from lora_demo.serving.session import Session
from lora_demo.ui import build_app
from lora_demo.ui.line import Inbox
from lora_demo.ui.states import PageState, PageStates


def test_the_queue_looks_for_events_less_often_than_gradios():
    with gr.Blocks() as plain:
        pass

    usual = vars(plain._queue)["sleep_when_free"]  # a KeyError if Gradio renames it
    assert vars(build_app()._queue)["sleep_when_free"] > usual


def test_a_page_is_remembered_by_its_states_alone():
    """Fails if Gradio renames what `PageState` empties, or keeps it elsewhere."""
    app = build_app()
    usual, ours = SessionState(app), PageState(app)
    textbox = next(block for block in app.blocks.values() if isinstance(block, gr.Textbox))

    for state in (usual, ours):
        state._update_value_in_config(textbox._id, "x" * 10_000)

    assert "xxx" in str(vars(usual)["config_values"])
    assert vars(ours)["config_values"] == {}
    assert vars(ours).keys() == vars(usual).keys()
    assert isinstance(app.state_holder, PageStates)
    assert app.app.state_holder is app.state_holder


def test_who_has_a_secret_or_work_is_put_out_after_those_without():
    app = build_app()
    holder, visitor = app.state_holder, visitor_of(app)
    holder.capacity = 10
    worker, reader = Session("secret", files={Path("a.png")}), Session("another")
    holder["worker"][visitor], holder["reader"][visitor] = worker, reader

    for number in range(100):
        holder[f"invented {number}"]

    assert len(holder.session_data) <= 10
    assert holder["worker"][visitor] is worker
    assert holder["reader"][visitor] is reader
    for number in range(100):
        holder[f"with a secret {number}"][visitor] = Session(f"secret {number}")
    assert holder["worker"][visitor] is worker


def test_a_page_that_was_not_used_for_an_hour_is_dropped(monkeypatch):
    app = build_app()
    app.state_holder["page"]
    app.state_holder.delete_all_expired_state()
    assert "page" in app.state_holder

    monkeypatch.setattr(limits, "KEEP_SECONDS", 0)
    time.sleep(0.01)
    app.state_holder.delete_all_expired_state()

    assert "page" not in app.state_holder
    assert not app.state_holder.time_last_used


def visitor_of(app: gr.Blocks) -> int:
    states = ((i, block) for i, block in app.blocks.items() if isinstance(block, gr.State))
    return next(number for number, state in states if isinstance(state.value, Session))


def test_the_line_keeps_the_messages_of_who_listens():
    """Of Gradio's 2,000 the first would go; a `KeyError` if Gradio renames what holds them."""

    async def listen_while_others_come():
        line = build_app()._queue
        inboxes = vars(line)["pending_messages_per_session"]
        inboxes["here"] = None
        listening = asyncio.create_task(inboxes["here"].get())
        await asyncio.sleep(0)
        for number in range(3 * limits.MAX_EVENTS):
            inboxes[f"invented {number}"] = None
            inboxes[f"invented {number}"].sent["event"] = 100
            assert await line._make_room(100)
        assert len(inboxes) <= limits.MAX_EVENTS + 1
        inboxes["here"].put_nowait(ProcessCompletedMessage(output={}, success=True))
        return await listening

    assert run(listen_while_others_come()).success


def test_of_too_many_bytes_the_page_that_sent_most_goes():
    async def fill():
        line = build_app()._queue
        inboxes = line.pending_messages_per_session
        for page, size in (("small", 1_000), ("large", limits.MAX_EVENT_BYTES - 10_000)):
            inboxes[page] = None
            inboxes[page].sent["event"] = size
        assert await line._make_room(20_000)
        return list(inboxes)

    assert run(fill()) == ["small"]


def test_a_page_that_reads_nothing_keeps_the_newest_messages():
    async def fill():
        inbox = Inbox()
        for number in range(limits.MAX_MESSAGES + 10):
            inbox.put_nowait(EstimationMessage(rank=number, queue_size=1))
        return inbox.qsize(), (await inbox.get()).rank

    assert run(fill()) == (limits.MAX_MESSAGES, 10)


def run(work):
    with ThreadPoolExecutor() as own_thread:  # in this one the browser's tests leave a loop
        return own_thread.submit(asyncio.run, work).result()
