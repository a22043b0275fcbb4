"""The two public endpoints. No call depends on an earlier one."""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from lora_demo.adapter_files import open_adapter
from lora_demo.adapters import AdapterSpec
from lora_demo.backbones import load_model
from lora_demo.errors import LoraDemoError
from lora_demo.evaluation import Prediction, compare
from lora_demo.features import read_features
from lora_demo.images import LabelledImage, find_category
from lora_demo.training import FitProgress, TrainingSettings, train
from lora_demo.ui.feedback import throttle, uploaded, visitor_errors
from lora_demo.ui.keep import write_adapter

PTH_MODEL = "vgg19"  # a plain lora.pth does not say; the article's is VGG-19's


def publish_api() -> None:
    gr.api(train_endpoint, api_name="train", concurrency_id="training")
    gr.api(compare_endpoint, api_name="compare")


def train_endpoint(
    pictures: list[gr.FileData],
    class_name: str,
    base_model: str = "efficientnet_lite0",
    placement: str = "pixels",
    rank: int = 10,
    epochs: int = 100,
    learning_rate: float = 0.001,
    seed: int = 0,
) -> Iterator[tuple[dict, gr.FileData | None]]:
    """Teach `base_model` to call the pictures `class_name`.

    Streams pairs of a summary so far and None; the last pair has the adapter file.
    """
    with visitor_errors():
        model = load_model(base_model)
        label = find_category(class_name, model.categories)
        sent = pictures if isinstance(pictures, list) else [pictures]
        examples = [LabelledImage(_file(picture), label) for picture in sent]
        spec = AdapterSpec(base_model, placement, rank, seed, (label,))
        for progress in throttle(
            train(model, examples, spec, TrainingSettings(epochs, learning_rate))
        ):
            yield _summary(progress, spec), None
        file = write_adapter(progress.adapter)
        yield _summary(progress, spec), gr.FileData(path=str(file), orig_name=file.name)


def compare_endpoint(picture: gr.FileData, adapter: gr.FileData, strength: float = 1.0) -> dict:
    """The five most probable classes of one picture, without (`base`) and with (`adapted`) LoRA."""
    with visitor_errors():
        model, loaded = open_adapter(_file(adapter), PTH_MODEL)
        comparison = compare(model, read_features(model, _file(picture)), loaded, strength)
    return {"base": _answers(comparison.before), "adapted": _answers(comparison.after)}


def _file(sent: object) -> Path:
    """gr.api hands over what the client sent, unchecked: a dict with a path, or anything else."""
    if not isinstance(sent, dict):
        raise LoraDemoError("A file is expected here. Send it with gradio_client.handle_file(...).")
    return uploaded(sent.get("path"))


def _answers(predictions: tuple[Prediction, ...]) -> list[dict]:
    return [{"class_name": p.class_name, "probability": p.probability} for p in predictions]


def _summary(progress: FitProgress, spec: AdapterSpec) -> dict:
    points, adapter = progress.points, progress.adapter
    return {
        "losses": [point.loss for point in points],
        "seconds": points[-1].seconds if points else 0.0,
        "trainable_parameters": sum(p.numel() for p in adapter.parameters()) if adapter else 0,
        "pictures_read": progress.pictures_read,
        "pictures_refused": [
            {"file_name": error.file_name, "reason": error.reason} for error in progress.refused
        ],
        "base_model": spec.model_name,
        "class_name": spec.class_names[0],
        "placement": spec.placement.value,
        "rank": spec.rank,
        "seed": spec.seed,
    }
