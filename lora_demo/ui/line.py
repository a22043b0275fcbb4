"""The line of events: bounded, and without the answers that nobody fetches."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Request
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Queue
from gradio.server_messages import EventMessage, ProcessCompletedMessage
from gradio.utils import run_coro_in_background

from lora_demo import limits
from lora_demo.serving.cleanup import give_back_memory

LOOK_SECONDS = 0.02  # between two looks for events; Gradio's 0.001 slows trainings down
SWEEP_SECONDS = 10  # between two looks for answers that nobody fetches
EVENT_BYTES = 2000  # of an event, beside what was sent with it
MANY = "This page asks for too much at once. Wait until some of it is answered."
FULL = "Too many people ask for something right now. Try again in a minute."


class Inbox(asyncio.Queue):
    """The messages for one page, what was sent for them, and whether anybody listens."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, int] = {}  # bytes, by event whose answer was not fetched
        self.listeners = 0
        self.heard = time.monotonic()

    @property
    def size_bytes(self) -> int:
        return sum(self.sent.values()) + EVENT_BYTES * len(self.sent)

    @property
    def quiet_seconds(self) -> float:
        return 0.0 if self.listeners else time.monotonic() - self.heard

    async def get(self) -> EventMessage:
        self.listeners += 1
        try:
            message = await super().get()
        finally:
            self.listeners -= 1
            self.heard = time.monotonic()
        if isinstance(message, ProcessCompletedMessage) and message.event_id:
            self.sent.pop(message.event_id, None)
        return message

    def put_nowait(self, item: EventMessage) -> None:
        if self.qsize() >= limits.MAX_MESSAGES:  # the page is gone, or far too slow
            self.get_nowait()
        super().put_nowait(item)


class Inboxes(dict[str, Inbox]):
    """Every page's messages. Gradio 6.31 keeps 2,000, and puts out those who came first."""

    def __setitem__(self, page: str, _: object) -> None:
        super().__setitem__(page, Inbox())


class Line(Queue):
    """Gradio's queue of events, with bounds: pages are free to invent, and so are their events."""

    def adopt(self) -> None:
        """Take over what Gradio made, which is empty yet."""
        self.sleep_when_free = LOOK_SECONDS
        self.pending_messages_per_session: Any = Inboxes()

    def start(self) -> None:
        # Gradio works on 40 at once; a page that shows a training is one of them all the while
        self.max_thread_count = limits.MAX_EVENTS
        super().start()
        run_coro_in_background(self._sweep_for_ever)

    async def push(
        self, body: PredictBodyInternal, request: Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        size, page = len(await request.body()), body.session_hash
        inbox = self.pending_messages_per_session.get(page)
        if inbox and len(inbox.sent) >= limits.MAX_PAGE_EVENTS:
            return False, MANY, "queue_full"
        if not await self._make_room(size):
            return False, FULL, "queue_full"
        if inbox and not inbox.sent:
            inbox.heard = time.monotonic()  # it will be listened to in a moment
        done, key, state = await super().push(body, request, username)
        if done:
            self.pending_messages_per_session[body.session_hash].sent[key] = size
        return done, key, state

    async def _make_room(self, size: int) -> bool:
        """Drop what nobody listens to, until one more event of that size fits; whether it does.

        Of too many events the quietest page loses its own, of too many bytes the one that sent
        most. A browser listens within a second.
        """
        inboxes: Inboxes = self.pending_messages_per_session
        while True:
            held = {page: inbox for page, inbox in inboxes.items() if inbox.sent}
            many = sum(len(inbox.sent) for inbox in held.values()) >= limits.MAX_EVENTS
            sizes = {page: inbox.size_bytes for page, inbox in held.items()}
            if not many and sum(sizes.values()) + size <= limits.MAX_EVENT_BYTES:
                return True
            quiet = {page: i.quiet_seconds for page, i in held.items() if not i.listeners}
            if not quiet:
                return False
            await self._drop(max(quiet, key=(quiet if many else sizes).__getitem__))

    async def _drop(self, page: str) -> None:
        self.pending_messages_per_session.pop(page, None)
        await self.clean_events(session_hash=page)
        self.pending_event_ids_session.pop(page, None)

    async def _sweep_for_ever(self) -> None:
        while not self.stopped:
            await asyncio.sleep(SWEEP_SECONDS)
            inboxes = self.pending_messages_per_session.items()
            quiet = [p for p, i in inboxes if i.quiet_seconds > limits.MAX_UNHEARD_SECONDS]
            for page in quiet:
                await self._drop(page)
            if quiet:
                await run_sync(give_back_memory)
