"""Once a minute: delete files that nobody will ask for, and forget the names of those deleted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from gradio.utils import get_upload_folder

from lora_demo.limits import KEEP_SECONDS
from lora_demo.serving.storage import STORAGE
from lora_demo.ui.uploads import files_folder

TIDY_SECONDS = 60
LOG = logging.getLogger("lora_demo")


@asynccontextmanager
async def tidying(app: Any) -> AsyncIterator[None]:
    """Tidy up while the app runs; in the end, delete what visitors sent."""
    task = asyncio.create_task(_tidy_forever(app.get_blocks().temp_file_sets))
    try:
        yield
    finally:
        task.cancel()
        STORAGE.clear()


async def _tidy_forever(known: Iterable[set[str]]) -> None:
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        try:
            await run_sync(tidy, known)
        except Exception:  # the next time may be better
            LOG.exception("files could not be tidied up")


def tidy(known: Iterable[set[str]]) -> None:
    """Delete old files, and from the sets of Gradio, which only grow, what is on disk no more."""
    STORAGE.tidy(files_folder())
    for file in Path(get_upload_folder()).glob("tmp*"):  # Gradio makes one when it reads an upload
        with suppress(OSError):
            found = file.stat()
            if time.time() - found.st_mtime > (KEEP_SECONDS if found.st_size else TIDY_SECONDS):
                file.unlink()
    for paths in known:
        paths -= {path for path in paths.copy() if not Path(path).exists()}
