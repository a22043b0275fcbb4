"""Save and load adapters: `.safetensors` with the spec inside, and the article's `lora.pth`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lora_demo.backbones.models import FrozenModel, load_model
from lora_demo.checkpoints.untrusted import read_pth, read_safetensors
from lora_demo.class_names import known_words
from lora_demo.errors import AdapterFileError, LoraDemoError, WeightsError, shorten
from lora_demo.limits import MAX_LORA_BYTES, MAX_NEW_WORDS, MAX_RANK
from lora_demo.lora.adapter import Adapter
from lora_demo.lora.methods import new_adapter
from lora_demo.lora.recipes import RECIPES, Placement
from lora_demo.lora.spec import AdapterSpec

METADATA_KEY = "lora_demo.spec"


def save_adapter(adapter: Adapter, path: Path | str) -> Path:
    """Write A (m, r) and B (r, n): `.pth` is a plain state_dict, `.safetensors` adds the spec.

    In a `.pth` file B is multiplied by the strength, as a plain module has none. If there are
    several updates, the names are 0.A, 0.B, 1.A, ...
    """
    path = Path(path)
    several = len(adapter.loras) > 1
    tensors = {
        name if several else name.removeprefix("0."): tensor.detach().to("cpu", copy=True)
        for name, tensor in adapter.loras.state_dict().items()
    }
    if path.suffix == ".safetensors":
        save_file(tensors, path, metadata={METADATA_KEY: json.dumps(asdict(adapter.spec))})
    elif path.suffix == ".pth":
        scaled = {n: t * adapter.strength if n[-1] == "B" else t for n, t in tensors.items()}
        torch.save(scaled, path)
    else:
        raise AdapterFileError(f"“{path.name}” must end in .safetensors or .pth.")
    return path


def read_adapter_spec(path: Path | str) -> AdapterSpec | None:
    """Read the spec in a `.safetensors` file; a `.pth` file has none and gives None."""
    return _read(Path(path))[0]


def open_adapter(path: Path | str, default_model: str) -> tuple[FrozenModel, Adapter]:
    """Load an adapter and its base model: the one that the file names, else `default_model`."""
    path = Path(path)
    spec, tensors = _read(path)
    try:
        model = load_model(spec.model_name if spec else default_model)
    except WeightsError as error:
        raise WeightsError(f"“{path.name}” needs another network. {error}") from error
    except LoraDemoError as error:
        raise AdapterFileError(f"“{path.name}” is for a network unknown here. {error}") from error
    return model, _to_adapter(path, spec, tensors, model)


def load_adapter(path: Path | str, model: FrozenModel) -> Adapter:
    """Load either kind of file for `model`; nothing in it is executed.

    A `.pth` file says nothing of itself: the shapes tell its placement, and what it was taught
    stays unknown. Raises `AdapterFileError` if the file is no LoRA or does not fit the model.
    """
    path = Path(path)
    return _to_adapter(path, *_read(path), model)


def _to_adapter(
    path: Path, spec: AdapterSpec | None, tensors: dict[str, Tensor], model: FrozenModel
) -> Adapter:
    spec = spec or _guess_spec(path, tensors, model)
    if spec.model_name != model.name:
        raise AdapterFileError(
            f"“{path.name}” was trained on {shorten(spec.model_name)}, and the base model here is "
            f"{model.name}. Choose that base model, then load the file again."
        )
    try:
        outputs = len(known_words(spec.class_names, model.categories))
    except LoraDemoError as error:
        raise AdapterFileError(f"“{path.name}” was taught what is no word. {error}") from error
    expected = {}
    for number, (m, n) in enumerate(spec.recipe.shapes(model, outputs)):
        expected |= {f"{number}.A": (m, spec.rank), f"{number}.B": (spec.rank, n)}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != expected:
        raise AdapterFileError(
            f"“{path.name}” does not fit {model.title}: it holds {shorten(found)}, and {expected} "
            "is needed."
        )
    adapter = new_adapter(spec, model)
    adapter.loras.load_state_dict(tensors)
    return adapter


def _read(path: Path) -> tuple[AdapterSpec | None, dict[str, Tensor]]:
    if path.suffix not in (".safetensors", ".pth"):
        raise AdapterFileError(
            f"“{path.name}” is no LoRA file: its name must end in .safetensors or .pth."
        )
    try:
        if path.suffix == ".pth":
            spec, tensors = None, read_pth(path)
        else:
            metadata, tensors = read_safetensors(path)
            spec = _to_spec(json.loads(metadata[METADATA_KEY]))
    except Exception as error:  # foreign files make the readers raise anything
        raise AdapterFileError(
            f"“{shorten(path.name)}” cannot be read as a LoRA: it is missing, damaged, cut short, "
            f"over {MAX_LORA_BYTES // 2**20} MB or something else. Choose one that was saved here."
        ) from error
    single = tensors.keys() == {"A", "B"}
    return spec, {f"0.{name}" if single else name: tensor for name, tensor in tensors.items()}


def _to_spec(values: dict[str, Any]) -> AdapterSpec:
    class_names = values.pop("class_names")
    if not isinstance(class_names, list):
        raise ValueError("class_names is no list")
    return AdapterSpec(**values, class_names=tuple(class_names))


def _guess_spec(path: Path, tensors: dict[str, Tensor], model: FrozenModel) -> AdapterSpec:
    # `head` and `guarded` compute the same, so the first of them will do
    known = len(model.categories)
    shapes = {RECIPES[p].shapes(model, known)[0][0]: p for p in reversed(Placement)}
    first, last = (tensors.get(n, torch.empty(0)) for n in ("0.A", f"{len(tensors) // 2 - 1}.B"))
    rows, rank = (*first.shape, 0, 0)[:2]
    if rows not in shapes or not 1 <= rank <= MAX_RANK:
        raise AdapterFileError(
            f"“{path.name}” holds no LoRA that fits {model.title}: a matrix “A” with "
            f"{' or '.join(f'{m:,}' for m in shapes)} rows and up to {MAX_RANK} columns is needed."
        )
    new_words = (*last.shape, 0, 0)[1] - known
    names = tuple(f"new word {number}" for number in range(1, min(new_words, MAX_NEW_WORDS) + 1))
    return AdapterSpec(model.name, shapes[rows], rank, class_names=names)
