"""The two public endpoints. No call depends on an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import gradio as gr

from lora_demo.backbones import BUILT_IN, load_model
from lora_demo.desk import DESK
from lora_demo.errors import LoraDemoError, brief
from lora_demo.images import LabelledImage
from lora_demo.limits import MAX_PICTURES
from lora_demo.long_work import Job, watch
from lora_demo.specs import DEFAULT_SETTINGS, AdapterSpec
from lora_demo.ui.feedback import uploaded, visitor_errors
from lora_demo.ui.keep import write_adapter
from lora_demo.ui.labels import to_word
from lora_demo.ui.lessons import learn
from lora_demo.ui.summaries import answers, judgement, summary_of
from lora_demo.ui.unrelated import flatten, unrelated_paths
from lora_demo.ui.visitors import Visitor
from lora_demo.words import find_category

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
) -> Iterator[tuple[dict, gr.FileData | None]]:
    """Teach `base_model` to call the pictures `class_name`.

    Epochs and learning rate are by default the placement's own; strength "auto" is 1, and for
    "guarded" what leave-one-out finds. With `new_word` the class may be none of the 1,000. Streams
    pairs of a summary so far and None; the last pair has the adapter file, and in its summary the
    fair test and what broke.
    """
    with visitor_errors():
        model = load_model(base_model)
        if not isinstance(new_word, bool):
            raise LoraDemoError(f"new_word is {brief(new_word)}. Choose true or false.")
        if not isinstance(class_name, str):
            raise LoraDemoError(f"class_name is {brief(class_name)}. Give it as text.")
        label = to_word(class_name) if new_word else find_category(class_name, model.categories)
        sent = pictures if isinstance(pictures, list) else [pictures]
        if len(sent) > MAX_PICTURES:  # before each is looked at
            raise LoraDemoError(f"There are {len(sent):,} pictures. At most {MAX_PICTURES:,} fit.")
        examples = [LabelledImage(_file(picture), label) for picture in sent]
        asked = None if strength == "auto" else strength
        spec = AdapterSpec(base_model, placement, rank, seed, (label,), asked)
        asked_for = {"epochs": epochs, "learning_rate": learning_rate}
        given = {name: value for name, value in asked_for.items() if value is not None}
        settings = replace(DEFAULT_SETTINGS[spec.placement], **given)
        arguments = examples, spec, settings, flatten(unrelated_paths(spec.class_names))
        me = Visitor()
        job = DESK.submit(Job(partial(learn, me, (), arguments)))
        try:
            for _ in watch(job):
                if not job.done.is_set():
                    yield (
                        summary_of(me.lesson, spec, model) | {"before_you": DESK.before(job)},
                        None,
                    )
        finally:  # whoever does not listen any more does not come back
            DESK.stop(job)
        if job.error:
            raise job.error
        if not me.results:
            raise LoraDemoError(f"It ended too soon: {job.end}. Ask for less, or try again.")
        file = write_adapter(me.adapter)
        summary = summary_of(me.lesson, spec, model) | judgement(me.results[-1])
        yield summary, gr.FileData(path=str(file), orig_name=file.name)


def compare_endpoint(
    picture: gr.FileData, adapter: gr.FileData, strength: float | None = None
) -> dict:
    """The five most probable classes of one picture, without (`base`) and with (`adapted`) LoRA.

    The strength is by default the adapter's own.
    """
    from lora_demo.adapter_files import open_adapter
    from lora_demo.jobs import answer

    with visitor_errors():
        model, loaded = open_adapter(_file(adapter), PTH_MODEL)
        comparison = DESK.ask(Visitor(), answer, _file(picture), model.name, loaded, strength)
    return {"base": answers(comparison.before), "adapted": answers(comparison.after)}


def _file(sent: object) -> Path:
    """gr.api hands over what the client sent, unchecked: a dict with a path, or anything else."""
    if not isinstance(sent, dict):
        raise LoraDemoError("A file is expected here. Send it with gradio_client.handle_file(...).")
    return uploaded(sent.get("path"))
