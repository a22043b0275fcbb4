"""Step 5: a LoRA as a file, to keep and to load again."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.events import Dependency
from gradio.utils import get_upload_folder

from lora_demo.adapter_files import load_adapter, read_adapter_spec, save_adapter
from lora_demo.adapters import Adapter
from lora_demo.backbones import load_model
from lora_demo.ui.feedback import QUIET, uploaded, visitor_errors
from lora_demo.ui.notes import loaded_note, step


@dataclass(frozen=True)
class Keep:
    loaded: Dependency
    downloads: tuple[gr.DownloadButton, gr.DownloadButton]

    def offer_after(self, event: Dependency, adapter: gr.State) -> None:
        event.then(_offer, adapter, self.downloads, **QUIET)


def build_keep(network: gr.State, adapter: gr.State) -> Keep:
    with gr.Column(elem_classes="card"):
        gr.HTML(step(5, "Keep it", "A LoRA is a small file: save it, share it, load it again."))
        with gr.Row():
            full = gr.DownloadButton("Save as .safetensors", interactive=False, elem_id="save")
            plain = gr.DownloadButton("Save as lora.pth", interactive=False, elem_id="save-pth")
            load = gr.UploadButton(
                "Load a LoRA file", file_types=[".safetensors", ".pth"], elem_id="load"
            )
        status = gr.HTML()
    loaded = load.upload(_load, [load, network], [adapter, network, status], **QUIET)
    keep = Keep(loaded, (full, plain))
    keep.offer_after(loaded, adapter)
    return keep


def write_adapter(adapter: Adapter, name: str) -> Path:
    """A file in a folder of its own below the uploads, from where the page may fetch it."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return save_adapter(adapter, folder / name)


def full_name(adapter: Adapter) -> str:
    """lora-goldfish.safetensors"""
    return "-".join(["lora", *adapter.spec.class_names[:3]]).replace(" ", "_") + ".safetensors"


def _offer(adapter: Adapter | None) -> tuple:
    if adapter is None:
        return gr.skip(), gr.skip()
    names = full_name(adapter), "lora.pth"
    return tuple(
        gr.update(value=str(write_adapter(adapter, name)), interactive=True) for name in names
    )


def _load(path: str, network: str) -> tuple[Adapter, str, str]:
    """Onto the base model that the file names; a plain `.pth` goes onto the one in use."""
    with visitor_errors():
        file = uploaded(path)
        spec = read_adapter_spec(file)
        adapter = load_adapter(file, load_model(spec.model_name if spec else network))
    return adapter, adapter.spec.model_name, loaded_note(adapter.spec, file.name)
