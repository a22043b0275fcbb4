"""A worker in another process or on another machine."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Generator

from lora_demo.errors import LoraDemoError
from lora_demo.serving.job import SHOW_SECONDS
from lora_demo.serving.transport import run_payload

Answer = tuple[list[bytes], bool]  # the news, and whether that was all

LOG = logging.getLogger("lora_demo")


class Actor:
    """Holds runs by key. A run works only while somebody polls it."""

    def __init__(self, threads: int):
        import torch

        torch.set_num_threads(threads)
        self._runs: dict[str, Generator] = {}

    def start(self, key: str, payload: bytes) -> Answer | None:
        self._runs[key] = run_payload(payload)
        return self.poll(key)

    def poll(self, key: str) -> Answer | None:
        """Return the latest step each quarter second; steps marked as lasting, at once.

        None if there is no such run, or not any more.
        """
        from lora_demo.serving.tasks import is_lasting

        steps = self._runs.get(key)
        if steps is None:
            return None
        news, until = [], time.monotonic() + SHOW_SECONDS
        try:
            for step in steps:
                news = [step]
                if is_lasting(step) or time.monotonic() > until:
                    return [pickle.dumps(step)], False
        except LoraDemoError as error:  # is raised again on the other side
            news = [error]
        except Exception as error:  # not every error can be pickled
            LOG.exception("a run failed")
            news = [RuntimeError(repr(error))]
        self._runs.pop(key, None)
        return list(map(pickle.dumps, news)), True

    def cancel(self, key: str) -> None:
        steps = self._runs.pop(key, None)
        if steps:
            steps.close()
