"""For whoever runs the app: /healthz, and a line of log for each training."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from lora_demo.training import FitProgress

LOG = logging.getLogger("lora_demo")


async def _alive(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


HEALTH = Route("/healthz", _alive)


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
