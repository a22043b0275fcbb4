"""What a client sends to an event of the page, checked before anything works on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import gradio as gr

from lora_demo import LoraDemoError, limits
from lora_demo.ui.uploads import MAX_PATH, NOT_UPLOADED

UNREADABLE = "Something that was sent is not of the kind that is expected here."
KINDS: dict[type, type | tuple[type, ...]] = {  # of JSON; None is for the component to judge
    gr.Gallery: list,
    gr.HTML: str,
    gr.Number: (int, float),
    gr.Radio: str,
    gr.Slider: (int, float),
    gr.Textbox: str,
    gr.UploadButton: dict,
}


def check_kinds(components: Sequence[object], sent: Sequence[object]) -> None:
    """Raise `LoraDemoError` for too few values, too many, or another kind of thing.

    Here only what no page ever sends is refused; whatever passes and then fails is a fault of ours,
    and is logged as one.
    """
    if len(sent) != len(components):
        raise LoraDemoError(f"{len(components)} values are expected here, and {len(sent)} came.")
    for component, value in zip(components, sent, strict=True):
        kind = KINDS.get(type(component))
        if kind and value is not None and not isinstance(value, kind):
            raise LoraDemoError(UNREADABLE)


def check_size(sent: Iterable[object]) -> None:
    """Raise `LoraDemoError` for a text too long, or too much at once, before Gradio copies it.

    For each file that is named, Gradio stops all else for a millisecond.
    """
    parts, looked_at, files = list(sent), 0, 0
    while parts:
        part = parts.pop()
        looked_at += 1
        if isinstance(part, dict) and "path" in part:
            files += 1
            if str(part["path"])[:8].lower().startswith(("http://", "https://")):
                raise LoraDemoError(NOT_UPLOADED)  # Gradio would fetch it
        if looked_at > limits.MAX_SENT_PARTS or files > limits.MAX_SENT_FILES:
            raise LoraDemoError("That is too much at once. Use fewer pictures.")
        if isinstance(part, str) and len(part) > MAX_PATH:
            raise LoraDemoError(f"A text of {len(part):,} letters is too long. Make it shorter.")
        if isinstance(part, list):
            if len(part) > limits.MAX_PICTURES:
                raise LoraDemoError(
                    f"There are {len(part):,} pictures. At most {limits.MAX_PICTURES:,} fit."
                )
            parts += part
        elif isinstance(part, dict):
            parts += (*part, *part.values())


def carried(event: gr.EventData, name: str) -> object:
    """Return what an event itself carries under a name; None if nothing, whatever was sent."""
    return event._data.get(name) if isinstance(event._data, dict) else None
