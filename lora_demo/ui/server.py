"""What comes in over HTTP: counted, timed, refused in words if it fits nothing; and /healthz."""

from __future__ import annotations

import asyncio
import logging

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lora_demo import limits
from lora_demo.ui.gate import NO_SUCH_ENDPOINT, UPLOAD, Gate

LOG = logging.getLogger("lora_demo")
TOO_MUCH = PlainTextResponse("That is too much for one request.", 413)
TOO_SLOW = PlainTextResponse("That took too long to arrive. Send it once more.", 408)
NO_SUCH_ARGUMENT = JSONResponse(
    {
        "detail": "An argument is missing, or has a name that the endpoint does not know. "
        "/gradio_api/info lists what each endpoint takes."
    },
    400,
)


class RequestLimits:
    """Middleware: read the body of a request, up to a limit, then hand it on whole.

    For each file that a request names, Gradio stops all else for a millisecond. Uploads are counted
    as they come.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_upload(scope):
            return await self.app(scope, receive, send)
        try:
            body = await asyncio.wait_for(_read(receive), limits.MAX_REQUEST_SECONDS)
        except asyncio.TimeoutError:
            return await TOO_SLOW(scope, receive, send)
        if body is None:  # whoever sent it has left
            return None
        if len(body) > limits.MAX_REQUEST_BYTES:
            return await TOO_MUCH(scope, receive, send)
        whole = [{"type": "http.request", "body": body, "more_body": False}]

        async def hand_on() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, hand_on, send)


def _is_upload(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "")
    sends = scope["method"] == "POST" and get_route_path(scope) == UPLOAD
    return sends and kind.lower().startswith("multipart/form-data")


async def _read(receive: Receive) -> bytes | None:
    """Read all that was sent, or only enough to see that it is too much."""
    body, more = bytearray(), True  # bytes would be copied for each piece
    while more and len(body) <= limits.MAX_REQUEST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


class PlainRefusals:
    """Middleware: answer an unknown name with a sentence; Gradio 6.31 logs a traceback.

    Gradio's routes only put a call in line. Our own code runs elsewhere, so its errors never come
    by here.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except (FnIndexInferError, KeyError, TypeError) as error:
            if started or scope["method"] != "POST" or "/gradio_api/" not in scope["path"]:
                raise
            LOG.warning("refused a call: %s", type(error).__name__)
            refusal = NO_SUCH_ARGUMENT if isinstance(error, TypeError) else NO_SUCH_ENDPOINT
            await refusal(scope, receive, send)
        except RuntimeError as error:  # a stream that nobody waits for, of which Gradio said so
            if not (started and isinstance(error.__cause__, HTTPException)):
                raise
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def unreadable(_: Request, error: RequestValidationError) -> JSONResponse:
    """Answer what is no JSON or no call; FastAPI would send all of it back."""
    text = (
        "The request cannot be read. Send JSON with the header Content-Type: application/json; "
        'a call is {"data": [...]} with the arguments in their order.'
    )
    return JSONResponse({"detail": text}, 422)


async def _alive(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


HEALTH = Route("/healthz", _alive)
DOOR = {
    "middleware": [Middleware(Gate), Middleware(RequestLimits), Middleware(PlainRefusals)],
    "exception_handlers": {RequestValidationError: unreadable},
}
