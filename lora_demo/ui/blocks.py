"""Blocks that complete what is sent to an event or an endpoint, or refuse it in words."""

from __future__ import annotations

import asyncio
import logging
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.blocks import Block, BlockFunction
from gradio.exceptions import InvalidPathError
from gradio.state_holder import StateHolder

from lora_demo import LoraDemoError
from lora_demo.ui.events import visitor_errors
from lora_demo.ui.line import Line
from lora_demo.ui.sent import UNREADABLE, check_kinds, check_size
from lora_demo.ui.states import PageStates
from lora_demo.ui.uploads import NOT_UPLOADED

LOG = logging.getLogger("lora_demo")

_move_to_cache = Block.async_move_resource_to_block_cache


async def _pause_and_move(self: Block, url_or_file_path: str | Path | None) -> str | None:
    """Let others have the event loop before each file.

    Gradio 6.31 looks at the files of an event one after the other, a millisecond each, and never
    waits meanwhile: with 1,000 pictures in a gallery, the whole app stood for two seconds.
    """
    await asyncio.sleep(0)
    return await _move_to_cache(self, url_or_file_path)


Block.async_move_resource_to_block_cache = _pause_and_move


class Page(gr.Blocks):
    """Blocks whose endpoints have defaults over plain HTTP, and refuse in words.

    Gradio 6.31 leaves the defaults to its own clients; what it cannot read it answers with
    {"error": null}, and logs whole. The line lies where our own code begins: what a handler cannot
    do anything with is refused before, in one line of the log; what it fails at is our own fault,
    and is logged as ever.
    """

    def queue(self, *rest: Any, **more: Any) -> Page:
        """Let no queued event run past the queue, and make Gradio's queue one of ours."""
        super().queue(*rest, **more, api_open=False)
        self._queue.__class__ = Line
        cast(Line, self._queue).adopt()
        return self

    @property
    def state_holder(self) -> StateHolder:
        return self._state_holder

    @state_holder.setter
    def state_holder(self, holder: StateHolder) -> None:
        """Make Gradio's holder one of ours. It is empty when the server hands it over here."""
        holder.__class__ = PageStates
        self._state_holder = holder

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list, *rest: Any, **more: Any
    ) -> list:
        with visitor_errors():
            if block_fn.fn is None:  # the browser does it alone
                raise LoraDemoError(UNREADABLE)
            check_size(inputs)
            inputs = complete(block_fn, inputs)
            if block_fn.api_visibility != "public":  # the endpoints name what is wrong themselves
                check_kinds(block_fn.inputs, inputs)
        try:
            return await super().preprocess_data(block_fn, inputs, *rest, **more)
        except gr.Error as error:
            if not str(error.message).endswith("."):  # no sentence: a list of all choices
                error.message = UNREADABLE
            error.print_exception = False  # it says what was sent
            raise
        except Exception as error:  # Gradio's components raise whatever they meet
            LOG.warning("refused a call: %s", type(error).__name__)
            text = NOT_UPLOADED if isinstance(error, InvalidPathError) else UNREADABLE
            raise gr.Error(text, duration=20, print_exception=False) from error

    async def call_function(self, *rest: Any, **more: Any) -> dict:
        try:
            with visitor_errors():
                return await super().call_function(*rest, **more)
        except gr.Error as error:
            if error.print_exception:  # Gradio's own, of a file that an event names
                LOG.warning("refused a call: a file from elsewhere")
                raise gr.Error(NOT_UPLOADED, duration=20, print_exception=False) from error
            raise


def complete(block_fn: BlockFunction, sent: list) -> list:
    """Add the defaults of the endpoint's function for arguments left out at the end."""
    if block_fn.api_visibility != "public" or block_fn.fn is None:  # an event of the page
        return sent
    known = list(signature(block_fn.fn).parameters.values())
    needed = [argument for argument in known if argument.default is Parameter.empty]
    if not len(needed) <= len(sent) <= len(known):
        names = ", ".join(argument.name for argument in known)
        raise LoraDemoError(
            f"/{block_fn.api_name} takes {len(needed)} to {len(known)} arguments, and {len(sent)} "
            f"came. They are, in this order: {names}."
        )
    return [*sent, *(argument.default for argument in known[len(sent) :])]
