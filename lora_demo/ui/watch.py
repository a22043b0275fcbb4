"""For whoever runs the app: /healthz, and a line of log for each training."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lora_demo.limits import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from lora_demo.training import FitProgress

LOG = logging.getLogger("lora_demo")


async def _alive(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


HEALTH = Route("/healthz", _alive)


class RequestLimit:
    """Middleware: for each file that a request names, Gradio stops all else for a millisecond."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].endswith("/upload"):
            headers = dict(scope["headers"])
            length = headers.get(b"content-length", b"0")
            if b"transfer-encoding" in headers or int(length) > MAX_REQUEST_BYTES:
                refusal = PlainTextResponse("That is too much for one request.", 413)
                return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


LIMIT = Middleware(RequestLimit)


def log_training(progress: FitProgress) -> None:
    """What and how long; no pictures, names or words."""
    if progress.spec is None:
        LOG.info("training: stopped while reading %d pictures", progress.pictures)
        return
    LOG.info(
        "training: %s, %s, rank %d, %d pictures and %d left out, %d of %d epochs, %.2f s",
        progress.spec.model_name,
        progress.spec.placement.value,
        progress.spec.rank,
        progress.pictures_read,
        len(progress.refused),
        len(progress.points),
        progress.epochs,
        progress.points[-1].seconds,
    )
