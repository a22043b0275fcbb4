"""Middleware that keeps Gradio's own texts English in every browser, as ours are.

Gradio 6.31 takes the language of its buttons and of `<html lang>` from `navigator.language`. It has
no setting for that, and adds what `launch(head=...)` gives only after it has chosen.
"""

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPT = b'<script>Object.defineProperty(navigator, "language", { value: "en" });</script>'


class OneLanguage:
    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the script into the page, before Gradio's own."""

        async def send_page(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(scope=message)["content-length"]  # the page grows
            else:
                message["body"] = message["body"].replace(b"<head>", b"<head>" + SCRIPT, 1)
            await send(message)

        is_page = scope["type"] == "http" and scope["path"].endswith("/")
        await self.app(scope, receive, send_page if is_page else send)


ENGLISH = Middleware(OneLanguage)
