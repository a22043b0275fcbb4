"""The two public endpoints; no call depends on an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from lora_demo import (
    BUILT_IN,
    AdapterSpec,
    LabelledImage,
    LoraDemoError,
    find_category,
    limits,
    load_model,
    shorten,
)
from lora_demo.serving.job import wait_for
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.recording import Task, start_lesson
from lora_demo.serving.session import Session
from lora_demo.ui.events import visitor_errors
from lora_demo.ui.render.summaries import answers, judgement, summary_of
from lora_demo.ui.samples import flatten, originals, unrelated_paths
from lora_demo.ui.steps.download import write_adapter
from lora_demo.ui.uploads import to_word, uploaded

MAX_CALLS = 8  # of /train at once: each holds a thread; the others wait for theirs
PTH_MODEL = "vgg19"  # a plain lora.pth does not say; the article's is VGG-19's


def publish_api() -> None:
    gr.api(train_endpoint, api_name="train", concurrency_limit=MAX_CALLS)
    gr.api(compare_endpoint, api_name="compare")


def train_endpoint(
    pictures: list[gr.FileData],
    class_name: str,
    base_model: str = BUILT_IN,
    placement: str = "pixels",
    rank: int = 10,
    epochs: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    strength: float | str = "auto",
    new_word: bool = False,
    not_this: list[gr.FileData] | None = None,
) -> Iterator[tuple[dict, gr.FileData | None]]:
    """Teach `base_model` to call the pictures `class_name`.

    Epochs and learning rate are by default the placement's own; strength "auto" is 1, and for
    "guarded" what leave-one-out finds. With `new_word` the class may be none of the 1,000. Pictures
    of something else, `not_this`, teach what is not to be called so. Streams
    pairs of a summary so far and None; the last pair has the adapter file, and in its summary the
    fair test and what broke.
    """
    with visitor_errors():
        model = load_model(base_model)
        if not isinstance(new_word, bool):
            raise LoraDemoError(f"new_word is {shorten(new_word)}. Choose true or false.")
        if not isinstance(class_name, str):
            raise LoraDemoError(f"class_name is {shorten(class_name)}. Give it as text.")
        label = to_word(class_name) if new_word else find_category(class_name, model.categories)
        sent = [(picture, label) for picture in _listed(pictures)]
        others = [] if not_this is None else _listed(not_this)
        sent += [(picture, None) for picture in others]
        if len(sent) > limits.MAX_PICTURES:  # before each is looked at
            raise LoraDemoError(
                f"There are {len(sent):,} pictures. At most {limits.MAX_PICTURES:,} fit."
            )
        examples = [LabelledImage(_file(picture), word) for picture, word in sent]
        chosen: Any = placement  # `AdapterSpec` checks both
        asked: Any = None if strength == "auto" else strength
        spec = AdapterSpec(base_model, chosen, rank, seed, (label,), asked)
        asked_for = {"epochs": epochs, "learning_rate": learning_rate}
        given = {name: value for name, value in asked_for.items() if value is not None}
        settings = replace(spec.recipe.settings, **given)
        unrelated = unrelated_paths(spec.class_names, taught=originals(examples))
        task = Task(examples, flatten(unrelated))
        lesson = start_lesson(Session(), QUEUE, task, spec, settings)
        job = lesson.job
        try:
            for _ in wait_for(job):
                if not job.done.is_set():
                    place = {"before_you": QUEUE.position(job)}
                    yield summary_of(lesson, spec, model) | place, None
        finally:  # a client that stopped listening does not come back
            QUEUE.stop(job)
        if job.error:
            raise job.error
        if not lesson.result:
            raise LoraDemoError(f"It ended too soon: {job.end_reason}. Ask for less, or try again.")
        file = write_adapter(lesson.result.adapter)
        summary = summary_of(lesson, spec, model) | judgement(lesson.result)
        yield summary, gr.FileData(path=str(file), orig_name=file.name)


def compare_endpoint(
    picture: gr.FileData, adapter: gr.FileData, strength: float | None = None
) -> dict:
    """Name a picture's five most probable classes, without (`base`) and with (`adapted`) LoRA.

    The strength is by default the adapter's own.
    """
    from lora_demo import open_adapter
    from lora_demo.serving.tasks import compare_picture

    with visitor_errors():
        model, loaded = open_adapter(_file(adapter), PTH_MODEL)
        comparison = QUEUE.run_now(
            Session(), compare_picture, _file(picture), model.name, loaded, strength
        )
    return {"base": answers(comparison.before), "adapted": answers(comparison.after)}


def _listed(sent: object) -> list:
    return sent if isinstance(sent, list) else [sent]


def _file(sent: object) -> Path:
    """Check what gr.api hands over as the client sent it: a dict with a path, or anything else."""
    if not isinstance(sent, dict):
        raise LoraDemoError("A file is expected here. Send it with gradio_client.handle_file(...).")
    return uploaded(sent.get("path"))
