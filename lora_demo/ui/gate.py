"""Whom the app answers, and what may be sent where; all else is refused in words."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from gradio.routes import API_PREFIX
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOSTS = "LORA_DEMO_HOSTS"  # a setting: names under which the app is reached; * for all
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
PORTS = {"http": 80, "https": 443}  # that browsers leave out
UPLOAD, CALL = f"{API_PREFIX}/upload", f"{API_PREFIX}/call/"
# What the page and gradio_client send, beside calls. `run/predict` takes the number of an event, of
# those alone that wait in no line: `api_open` is off.
SENT = {f"{API_PREFIX}/{name}" for name in ("queue/join", "run/predict", "cancel", "reset")}
LINK = f"{API_PREFIX}/deep_link"  # writes a file at each call, and the page has no use for it
NO_SUCH_ENDPOINT = JSONResponse(
    {"detail": "There is no endpoint of that name. There are /train and /compare."}, 404
)
UNKNOWN_HOST = PlainTextResponse(
    "This app answers only on the computer on which it runs, at http://localhost or "
    "http://127.0.0.1. To reach it by another name, as through a proxy, start it with the setting "
    f"{HOSTS}=that.name (several with commas between them, or * for all).",
    403,
)
FOREIGN_PAGE = PlainTextResponse(
    "Another website sent this, so it was not done. Open the app itself and try there. If a proxy "
    f"hides the name of the app, start it with the setting {HOSTS}=that.name.",
    403,
)


class Gate:
    """Middleware: keep out foreign names, foreign pages, and what the page never sends.

    A website may point a name of its own at this computer (DNS rebinding), and its pages can send
    forms to any address.
    """

    def __init__(self, app: ASGIApp):
        self.app = app
        names = os.environ.get(HOSTS, "").lower().split(",")
        self.named = {name.strip() for name in names} - {""}
        is_local = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1") in HERE
        checks_names = "*" not in self.named and (is_local or self.named)
        self.known = self.named | HERE if checks_names else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers, path = Headers(scope=scope), get_route_path(scope)
        host = headers.get("host", "")
        if self.known and host and _address(f"//{host}")[0] not in self.known:
            return UNKNOWN_HOST
        if scope["method"] in ("GET", "HEAD"):
            return NO_SUCH_ENDPOINT if path == LINK else None
        if not self._is_own_page(headers, host):
            return FOREIGN_PAGE
        return None if _takes(path, scope) else NO_SUCH_ENDPOINT

    def _is_own_page(self, headers: Headers, host: str) -> bool:
        """Tell if a page of the app sends it, or none at all.

        Browsers say so in a header that no page can set. Old ones, and all on plain http, say only
        from where the page is; it is compared with what they asked.
        """
        relation, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if relation or not origin:
            return relation in ("same-origin", "none", None)
        (page, port), (asked, asked_port) = _address(origin), _address(f"//{host}")
        return bool(page) and (page in self.named or (page == asked and asked_port in (None, port)))


def _address(text: str) -> tuple[str | None, int | None]:
    """Return name and port of an address; no name if it is none."""
    try:
        parts = urlsplit(text)
        return parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None, None


def _takes(path: str, scope: Scope) -> bool:
    """Tell if something may be sent to that path: of the endpoints, only to the public ones."""
    path = path.rstrip("/")
    if not path.startswith(CALL):
        return path == UPLOAD or path in SENT
    name = path.removeprefix(CALL).removeprefix("v2/")
    events = scope["app"].get_blocks().fns.values()
    return any(e.api_name == name and e.api_visibility == "public" for e in events)
