"""What the server keeps of each open page; no number of invented pages puts out a real one."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from fastapi import HTTPException
from gradio.blocks import Blocks
from gradio.state_holder import SessionState, StateHolder

from lora_demo import limits
from lora_demo.serving.session import Session

LONG_HASH = f"session_hash is too long. Choose at most {limits.MAX_HASH} random letters."
AT_ONCE = 0.1  # of the pages go together when there are too many: ranking them takes time


class PageState(SessionState):
    """The values of one page's `gr.State`s, and no others.

    Gradio 6.31 also keeps all that components were sent and showed, for links that nothing here
    offers: 750 kB a page, and up to 1 MB for each value that a stranger sends.
    """

    def __init__(self, blocks: Blocks):
        bare: Any = SimpleNamespace(default_config=blocks.default_config, blocks=())
        super().__init__(bare)

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass

    @property
    def rank(self) -> int:
        """0 without a secret, 1 with one, 2 if it also keeps work: whoever ranks low goes first."""
        found = (value for value in self.state_data.values() if isinstance(value, Session))
        session = next(found, None)
        return bool(session and session.secret) + bool(session and session.has_work)


class PageStates(StateHolder):
    """The pages that were used last, bounded in number and age; their names are free to invent."""

    def __getitem__(self, session_id: str) -> SessionState:
        if len(session_id) > limits.MAX_HASH:
            raise HTTPException(400, LONG_HASH)
        with self.lock:
            if session_id not in self.session_data:
                self._make_room()
                self.session_data[session_id] = PageState(self.blocks)
            self.session_data.move_to_end(session_id)
            self.time_last_used[session_id] = datetime.now()
            return self.session_data[session_id]

    def delete_all_expired_state(self) -> None:
        """Drop whole pages after the hour; Gradio calls this each second, and leaves most."""
        oldest = datetime.now() - timedelta(seconds=limits.KEEP_SECONDS)
        with self.lock:
            while self.session_data and self.time_last_used[next(iter(self.session_data))] < oldest:
                self._drop(next(iter(self.session_data)))

    def _make_room(self) -> None:
        pages = self.session_data
        if len(pages) >= self.capacity:
            ranked = sorted(pages, key=lambda name: cast(PageState, pages[name]).rank)
            for name in ranked[: max(1, int(len(pages) * AT_ONCE))]:
                self._drop(name)

    def _drop(self, session_id: str) -> None:
        del self.session_data[session_id], self.time_last_used[session_id]
