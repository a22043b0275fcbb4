"""Whether the app lives: for a proxy, a container, or whoever watches it."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def _alive(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


HEALTH = Route("/healthz", _alive)
