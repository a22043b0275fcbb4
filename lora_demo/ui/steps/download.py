"""Step 7: a LoRA as a file, to keep and to load again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.events import Dependency

from lora_demo.serving.session import Session
from lora_demo.serving.sessions import SESSIONS
from lora_demo.ui.events import QUIET, View, visitor_errors
from lora_demo.ui.render.notes import loaded_note, quiet, saved_line, step
from lora_demo.ui.steps.return_visit import build_forget
from lora_demo.ui.uploads import new_folder, uploaded

if TYPE_CHECKING:
    from lora_demo import Adapter

NOTHING = quiet("After a training you can save your LoRA here.")


@dataclass(frozen=True)
class DownloadStep:
    load: gr.UploadButton
    loaded: Dependency
    told: gr.HTML  # what was loaded; wrong once another LoRA is in use
    view: View


def build_download(visitor: gr.State, network: gr.State) -> DownloadStep:
    with gr.Column(elem_classes="card"):
        gr.HTML(step(7, "Keep it", "A LoRA is a small file: save it, share it, load it again."))
        with gr.Row():
            full = gr.DownloadButton("Save my LoRA", elem_id="save")
            plain = gr.DownloadButton("lora.pth (for programmers)", elem_id="save-pth")
            load = gr.UploadButton(
                "Load a LoRA file", file_types=[".safetensors", ".pth"], elem_id="load"
            )
        offered = gr.HTML(NOTHING)
        status = gr.HTML()
        build_forget(visitor)
    loaded = load.upload(_load, [visitor, load, network], [network, status], **QUIET)
    return DownloadStep(load, loaded, status, View(_offer, [visitor], [full, plain, offered]))


def write_adapter(adapter: Adapter, name: str = "") -> Path:
    """Save it under `name`, by default after the taught classes: lora-goldfish.safetensors."""
    from lora_demo import save_adapter

    taught = "-".join(["lora", *adapter.spec.class_names[:3]]).replace(" ", "_")
    taught = taught.encode()[:120].decode(errors="ignore")  # file systems allow 255 bytes
    with new_folder() as folder:
        return save_adapter(adapter, folder / (name or f"{taught}.safetensors"))


def _offer(session: Session) -> tuple:
    if session.adapter is None:
        return None, None, NOTHING
    files = write_adapter(session.adapter), write_adapter(session.adapter, "lora.pth")
    session.own(files, "LoRA")
    line = saved_line(session.adapter.spec, files[0].name, files[0].stat().st_size)
    return *map(str, files), line


def _load(session: Session, path: str, network: str) -> tuple[str, str]:
    """Load it for the base model that the file names; a plain `.pth`, for the one in use."""
    from lora_demo import open_adapter

    with visitor_errors():
        file = uploaded(path)
        session.own([file])  # also if it is refused, so that it is forgotten
        _, adapter = open_adapter(file, network)
    session.choose(adapter)
    SESSIONS.make_room(session)
    return adapter.spec.model_name, loaded_note(adapter.spec, file.name)
