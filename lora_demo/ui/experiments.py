"""Step 6: which rank, which recipe? All trainings of one visitor side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import gradio as gr
from gradio.events import Dependency

from lora_demo.backbones import load_model
from lora_demo.errors import LoraDemoError
from lora_demo.specs import RANKS
from lora_demo.ui.feedback import QUIET, new_folder, throttle
from lora_demo.ui.labels import taught_words, to_labelled
from lora_demo.ui.notes import bar, note, problem, progress_note, step
from lora_demo.ui.pictures import Pictures
from lora_demo.ui.runs import IDLE, UNEXPECTED, begin_run, stop_run, until
from lora_demo.ui.settings import Settings, recipes
from lora_demo.ui.table import MAX_RESULTS, SHORT, results_view
from lora_demo.ui.unrelated import flatten, unrelated_features

if TYPE_CHECKING:
    from lora_demo.lab import Result

CHOOSE = """
const choose = (event) => {
  const mark = event.target.closest("[data-row]");
  const key = event.type === "click" || ["Enter", " "].includes(event.key);
  if (mark && key) { event.preventDefault(); trigger("click", {row: Number(mark.dataset.row)}); }
};
element.addEventListener("click", choose);
element.addEventListener("keydown", choose);
"""


def build_experiments(
    network: gr.State,
    pictures: Pictures,
    alone: gr.Gallery,
    settings: Settings,
    adapter: gr.State,
    results: gr.State,
) -> Dependency:
    """Returns the event that makes one of the trainings the current adapter."""
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(
                6,
                "Which rank? Which recipe?",
                "The article leaves this open. Let the lab train your pictures with ranks "
                f"{', '.join(map(str, RANKS))} and every recipe, and see what each learned and "
                "what it broke.",
            )
        )
        with gr.Row():
            start = gr.Button("Run the lab", elem_id="lab")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="lab-stop")
            save = gr.DownloadButton("Save as a table (CSV)", interactive=False, elem_id="csv")
        status = gr.HTML(elem_id="lab-status")
        view = gr.HTML(results_view(()), js_on_load=CHOOSE, elem_id="results")
    run = gr.State(None)

    def on_lab(values: dict) -> Iterator[tuple]:
        """Values by component; yields what becomes of results and status."""
        from lora_demo.lab import sweep
        from lora_demo.training import read_examples

        try:
            labelled = to_labelled(values[pictures.gallery], values[pictures.class_name])
            taught = taught_words(labelled)
            model, stopped = load_model(values[network]), values[run].stopped
            for progress in throttle(until(stopped, read_examples(model, labelled, taught))):
                yield gr.skip(), progress_note(progress)
            if progress.features is None:
                yield gr.skip(), note("Stopped while looking at the pictures.")
                return
            unrelated = flatten(unrelated_features(model, taught, values[alone]))
            spec = settings.spec(values, model.name, taught)
            steps = sweep(model, progress.features, spec, recipes(model.name), unrelated)
            total = len(recipes(model.name)) * len(RANKS)
            yield from throttle(_snapshots(until(stopped, steps), values[results], total))
        except LoraDemoError as error:
            yield gr.skip(), problem(error)

    began = start.click(begin_run, run, [run, start, stop, status], queue=False, **QUIET)
    done = began.then(
        on_lab,
        {run, results, network, pictures.gallery, pictures.class_name, alone, *settings.dials},
        [results, status],
        concurrency_id="training",
        **QUIET,
    )
    stop.click(stop_run, run, stop, queue=False, **QUIET)
    done.failure(lambda: UNEXPECTED, None, status, **QUIET)
    done.then(lambda: IDLE, None, [start, stop], **QUIET)
    results.change(_show, results, [view, save], **QUIET)
    return view.click(_use, results, [adapter, status], **QUIET)


def _snapshots(
    steps: Iterable, earlier: list[Result], total: int
) -> Iterator[tuple[list[Result], str]]:
    """At every step: all results so far, and what is under way."""
    from lora_demo.lab import Result
    from lora_demo.training import FitProgress

    made: list[Result] = []
    for one in steps:
        if isinstance(one, Result):
            made = [*made, one]
        elif isinstance(one, FitProgress):
            recipe = f"{SHORT[one.spec.placement]}, rank {one.spec.rank}"
            text = f"Training {len(made) + 1} of {total}: {recipe}{bar(len(made) / total)}"
        yield [*earlier, *made][-MAX_RESULTS:], note(text, "busy")
    lead = "Done" if len(made) == total else "Stopped"
    count = f"{len(made)} of {total} trainings of the lab are in the table."
    yield [*earlier, *made][-MAX_RESULTS:], note(f"<b>{lead}:</b> {count}")


def _show(results: list[Result]) -> tuple[str, dict]:
    from lora_demo.lab import to_csv

    if not results:
        return results_view(results), gr.update(interactive=False)
    file = new_folder() / "lora-trainings.csv"
    file.write_text(to_csv(results), encoding="utf-8")
    return results_view(results), gr.update(value=str(file), interactive=True)


# Gradio evaluates these types: one that is not imported here would hide EventData from it
def _use(results: list, picked: gr.EventData) -> tuple:
    adapter = results[picked.row].adapter
    name = f"{SHORT[adapter.spec.placement]}, rank {adapter.spec.rank}"
    return adapter, note(f"In use now: <b>{name}</b>. See steps 4 and 5.", "good")
