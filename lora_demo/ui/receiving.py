"""Uploads: received within bounds, each file in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from cachetools import LRUCache
from gradio.route_utils import GradioMultiPartParser, MultiPartException
from gradio_client.utils import strip_invalid_filename_characters
from python_multipart.exceptions import FormParserError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lora_demo import limits
from lora_demo.serving.sessions import SESSIONS
from lora_demo.serving.storage import STORAGE, StorageFullError
from lora_demo.ui.gate import UPLOAD
from lora_demo.ui.uploads import files_folder

COUNTED_BYTES = 2**20  # that come between two looks at what is stored
FORM = "multipart/form-data"
NO_FORM = f"Send files as a form ({FORM}), each in a field “files” with the name of the file."
TOO_MUCH = (
    f"A file may have at most {limits.MAX_LORA_BYTES // 2**20} MB, and "
    f"{limits.MAX_UPLOAD_FILES} files may come in one request."
)
TOO_SLOW = PlainTextResponse("That took too long to arrive. Send it once more.", 408)


class Pace:
    """How fast an address may go on once it has sent much."""

    def __init__(self) -> None:
        self._ahead: LRUCache[str, tuple[float, float]] = LRUCache(10_000)  # bytes, and when

    def delay(self, sender: str, more: int) -> float:
        """Count bytes; return the seconds to wait before the next ones."""
        now = time.monotonic()
        ahead, counted = self._ahead.get(sender, (0.0, now))
        ahead = max(0.0, ahead - (now - counted) * limits.SENDER_BYTES_A_SECOND) + more
        self._ahead[sender] = ahead, now
        return max(0.0, (ahead - limits.MAX_BURST_BYTES) / limits.SENDER_BYTES_A_SECOND)


PACE = Pace()  # of this process


class Body:
    """What arrives, counted before it is written to `folder`."""

    def __init__(self, request: Request, folder: Path, sender: str):
        self._receive, self._folder, self._sender = request.receive, folder, sender
        self._more = True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        uncounted = 0
        while self._more:
            piece = await self._next()
            uncounted += len(piece)
            if uncounted >= COUNTED_BYTES or not self._more:
                await run_sync(STORAGE.grow, self._folder, uncounted, SESSIONS.folders)
                await asyncio.sleep(PACE.delay(self._sender, uncounted))
                uncounted = 0
            yield piece

    async def skip(self) -> None:
        """Read what is left: a browser that is still sending would not hear the answer."""
        end, skipped = time.monotonic() + limits.MAX_REQUEST_SECONDS, 0
        with suppress(ClientDisconnect, asyncio.TimeoutError):
            while self._more and skipped < limits.MAX_LORA_BYTES and time.monotonic() < end:
                skipped += len(await self._next())

    async def _next(self) -> bytes:
        message = await asyncio.wait_for(self._receive(), limits.MAX_REQUEST_SECONDS)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        return message.get("body", b"")


async def receive(request: Request) -> Response:
    """Answer with the path of each file.

    Gradio 6.31 names a file after its content, so that two visitors with one picture have one
    file; keeps what was cut off; and while a field that is no file comes, answers nobody.
    """
    if not request.headers.get("content-type", "").lower().startswith(FORM):
        return PlainTextResponse(NO_FORM, 400)
    sender = sender_of(request)
    folder = await run_sync(STORAGE.new_folder, files_folder(), sender)
    body = Body(request, folder, sender)
    try:
        parser = GradioMultiPartParser(
            request.headers,
            body.pieces(),
            max_files=limits.MAX_UPLOAD_FILES,
            max_fields=0,
            upload_dir=folder,
            max_file_size=limits.MAX_LORA_BYTES,
        )
        form = await parser.parse()
        return JSONResponse(await run_sync(_place, form.getlist("files"), sender))
    except StorageFullError as error:
        refusal = PlainTextResponse(str(error), 507)
    except (MultiPartException, FormParserError) as error:
        is_much = str(getattr(error, "message", "")).startswith(("File size", "Too many files"))
        refusal = PlainTextResponse(*(TOO_MUCH, 413) if is_much else (NO_FORM, 400))
    except (ClientDisconnect, asyncio.TimeoutError):
        return TOO_SLOW
    finally:
        await run_sync(STORAGE.delete, [folder / "any"])
    await body.skip()
    return refusal


def sender_of(request: Request) -> str:
    """Return the address; of IPv6 what a household has, as it may choose the rest at will."""
    host = request.client.host if request.client else "unknown"
    with suppress(ValueError):
        address = ip_address(host)
        if isinstance(address, IPv6Address) and not address.ipv4_mapped:
            return str(ip_network((address, 64), strict=False))
    return host


def _place(files: Sequence[Any], sender: str) -> list[str]:
    """Move each file to a folder of its own."""
    paths = []
    for file in files:
        name = strip_invalid_filename_characters(Path(file.filename or "").name)
        folder = STORAGE.new_folder(files_folder(), sender)
        path = folder / ("file" if name == ".." else name)
        file.file.close()
        os.rename(file.file.name, path)
        STORAGE.close(folder)
        paths.append(str(path))
    return paths


RECEIVING = Route(UPLOAD, receive, methods=["POST"])
