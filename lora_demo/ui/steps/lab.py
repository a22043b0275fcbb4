"""Step 6: which rank, which recipe? All trainings of one visitor side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from lora_demo import RANKS, LoraDemoError
from lora_demo.serving.job import follow, seen
from lora_demo.serving.queue import QUEUE
from lora_demo.serving.recording import start_lab
from lora_demo.serving.runs import LabRun
from lora_demo.serving.session import Session
from lora_demo.serving.sessions import SESSIONS
from lora_demo.ui.events import QUIET, View, draw_after, reveal_on
from lora_demo.ui.render.jobs import STOPPING, UNLIMITED, cut_short_note, failed_note, waiting_note
from lora_demo.ui.render.notes import note, problem, reading_note, step
from lora_demo.ui.render.table import results_view
from lora_demo.ui.render.templates import render
from lora_demo.ui.samples import build_task
from lora_demo.ui.sent import carried
from lora_demo.ui.steps.pictures import Pictures
from lora_demo.ui.steps.settings import Settings, recipes
from lora_demo.ui.uploads import new_folder, taught_words, to_labelled

CHOOSE = """
element.addEventListener("click", (event) => {
  const mark = event.target.closest("[data-row]");
  if (mark) trigger("click", {row: Number(mark.dataset.row)});
});
"""


@dataclass(frozen=True)
class LabStep:
    current: gr.State  # what the lab does
    view: View
    chosen: Dependency  # makes one of the trainings the current LoRA
    start: gr.Button
    table: gr.HTML
    told: gr.HTML  # what was chosen; untrue once another LoRA is in use


def build_lab(
    visitor: gr.State,
    network: gr.State,
    pictures: Pictures,
    alone: gr.Gallery,
    settings: Settings,
) -> LabStep:
    with gr.Column(elem_classes="card"):
        gr.HTML(
            step(
                6,
                "Which rank? Which recipe?",
                f"Let the lab train your pictures with ranks {', '.join(map(str, RANKS))} and each "
                "recipe, and, if you added pictures of other things in step 5, with fewer of "
                "them: see what each learned and what it broke.",
            )
        )
        with gr.Row():
            start = gr.Button("Run the lab", elem_id="lab")
            stop = gr.Button("Stop", variant="stop", elem_id="lab-stop")
            save = gr.DownloadButton("Save as a table (CSV)", elem_id="csv")
        status = gr.HTML(elem_id="lab-status")
        told = gr.HTML(elem_id="in-use")
        table = gr.HTML(results_view(()), js_on_load=CHOOSE, elem_id="results")
    current = gr.State(None)

    def on_lab(values: dict) -> tuple:
        """Put a job in line for each worker; values by component."""
        from lora_demo import variants

        try:
            labelled = to_labelled(values[pictures.gallery], values[pictures.class_name])
            spec = settings.spec(values, values[network], taught_words(labelled))
            task = build_task(values[visitor], labelled, spec.class_names, values[alone])
            others = len(task.pictures) - len(labelled)
            specs = variants(spec, recipes(spec.model_name), corrections=others)
            run = start_lab(values[visitor], QUEUE, task, specs)
        except LoraDemoError as error:
            return problem(error), gr.skip()
        return waiting_note(run.jobs[0]), run

    inputs = {visitor, network, pictures.gallery, pictures.class_name, alone, *settings.dials}
    start.click(on_lab, inputs, [status, current], **UNLIMITED, **QUIET)
    reveal_on(start.click, "lab-status", "lab-status")
    reveal_on(table.click, "answers", "comparison")
    stop.click(_stop, current, None, queue=False, **QUIET)
    done = current.change(_show_lab, [visitor, current], [status, table], **UNLIMITED, **QUIET)
    view = View(_show, [visitor], [table, save])
    draw_after(done, view)
    chosen = table.click(_use, visitor, told, **QUIET)
    return LabStep(current, view, chosen, start, table, told)


def _stop(run: LabRun | None) -> None:
    if run:
        QUEUE.stop(*run.jobs)


async def _show_lab(session: Session, run: LabRun | None) -> AsyncIterator[tuple]:
    """Yield the status and the table."""
    if run is None:  # no page asks for it
        return
    told = drawn = table = None
    with seen(*run.jobs):
        async for _ in follow(*run.jobs):
            SESSIONS.keep(session)
            status, results = _lab_note(run), session.results
            if results is not drawn:
                drawn, table = results, results_view(results)
            if (status, table) != told:
                yield status, table
                told = status, table
    yield _end_note(run), results_view(session.results)


def _lab_note(run: LabRun) -> str:
    if any(job.stopped.is_set() for job in run.jobs):
        return STOPPING
    going_on = [share for share in run.shares if not share.job.done.is_set()] or run.shares
    now = [share.spec for share in going_on if share.spec]
    if not now:
        reading = [share.reading for share in going_on if share.reading]
        return reading_note(reading[0]) if reading else waiting_note(going_on[0].job)
    recipes = " and ".join(f"{spec.recipe.short_title}, rank {spec.rank}" for spec in now)
    text = f"{run.finished} of {run.trainings} trainings are done. Now: {recipes}"
    return note(text, "busy", running=True, share=run.finished / run.trainings)


def _end_note(run: LabRun) -> str:
    for job in run.jobs:
        if job.error:
            return failed_note(job.error)
    why = "".join({cut_short_note(job) for job in run.jobs})
    return why + render("lab_end", run=run)


def _show(session: Session) -> tuple[str, str | None]:
    from lora_demo import to_csv

    if not session.results:
        return results_view(()), None
    with new_folder() as folder:
        file = folder / "lora-trainings.csv"
        file.write_text(to_csv(session.results), encoding="utf-8")
    session.own([file], "table")
    return results_view(session.results), str(file)


def _use(session: Session, picked: gr.EventData) -> str:
    row = carried(picked, "row")
    if type(row) is not int or row not in range(len(session.results)):
        return note("That training is not kept any more. Train once more in step 3.", "warn")
    session.choose(session.results[row].adapter)
    return render("in_use", spec=session.results[row].adapter.spec)
