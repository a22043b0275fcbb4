"""Records of the core as sentences for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lora_demo import AdapterSpec, DownloadProgress, LoraDemoError
from lora_demo.ui.render.amounts import counted, duration
from lora_demo.ui.render.templates import PARTS, render

if TYPE_CHECKING:
    from lora_demo import FitProgress, ReadingProgress


def step(number: int, title: str, text: str) -> str:
    """The heading of a step."""
    return render("step", number=number, title=title, text=text)


def note(
    text: str, kind: str = "info", *, running: bool = False, share: float | None = None
) -> str:
    """Tell in one line how things stand.

    `kind` is info, busy, good, warn or bad and decides only its look. `running` says that a job is
    under way: the page then shows Stop instead of Train. `share` (0..1) draws a bar.
    """
    return str(PARTS.line(text, kind, running, share))


def quiet(text: str) -> str:
    """A remark in small print."""
    return render("quiet", text=text)


def problem(error: LoraDemoError) -> str:
    return note(str(error), "bad")


def reading_note(reading: ReadingProgress) -> str:
    """Tell how many pictures are read, with a bar and the time left."""
    seen = reading.pictures_read + len(reading.refused)
    text = f"Looking at picture {min(seen + 1, reading.pictures)} of {reading.pictures}"
    return _progress_note(text, seen / reading.pictures, reading.seconds_left)


def fitting_note(fitting: FitProgress) -> str:
    """Tell how far the training is, with a bar and the time left."""
    done, epochs = len(fitting.points), fitting.settings.epochs
    text = f"Practising: round {done} of {epochs}"
    return _progress_note(text, done / epochs, fitting.seconds_left)


def _progress_note(text: str, share: float, seconds_left: float | None) -> str:
    if seconds_left is not None:
        text += f" · {duration(seconds_left)} left"
    return note(text, "busy", running=True, share=share)


def ready_note(
    pictures: int,
    words: Sequence[str] = (),
    new: Sequence[str] = (),
    near: Sequence[str] = (),
    others: int = 0,
) -> str:
    """Tell what to do next, before a training.

    `words` are what the pictures show, or none if that is unknown for some of them. `new` are those
    that the network does not know, and `near` the known ones that are spelled like the first.
    `others` are pictures of none of these.
    """
    if not pictures:
        return note("Add pictures in step 1 to begin.")
    if not words:
        return note(f"{counted(pictures, 'picture')}. What do they show? Choose it in step 2.")
    return render("ready", pictures=pictures, words=words, new=new, near=near, others=others)


def refused_note(errors: Sequence[LoraDemoError]) -> str:
    """Name the files that were left out, and say why; empty if there are none."""
    return render("refused", errors=errors) if errors else ""


def end_note(reading: ReadingProgress, fitting: FitProgress | None) -> str:
    """Tell how long it took, what was learned, and which files were left out."""
    if fitting is None:
        return note("Stopped while looking at the pictures. Nothing was learned this time.")
    lead, rounds = "Done!", counted(len(fitting.points), "round")
    if not fitting.done:
        lead = "Stopped; what was learned is kept."
        rounds = f"{len(fitting.points)} of {counted(fitting.settings.epochs, 'round')}"
    return render("end", reading=reading, fitting=fitting, lead=lead, rounds=rounds)


def download_note(progress: DownloadProgress) -> str:
    done, total = progress.bytes_read / 2**20, progress.bytes_total / 2**20
    text = f"Downloading VGG-19 from {progress.source}: {done:.0f} of {total:.0f} MB"
    return note(text, "busy", share=min(done / total, 1))


def taught_line(spec: AdapterSpec) -> str:
    """Tell what the LoRA in use was taught, as step 1 may hold other pictures by now."""
    return render("taught", words=spec.class_names)


def saved_line(spec: AdapterSpec, name: str, size: int) -> str:
    """The name and size in bytes of the file that can be saved; the page shows the buttons then."""
    return render("saved", words=spec.class_names, name=name, size=size)


def earlier_note(spec: AdapterSpec) -> str:
    """The title of a result that is not of the pictures and words that are there now."""
    return render("earlier", words=spec.class_names)


def loaded_note(spec: AdapterSpec, file_name: str) -> str:
    return render("loaded", spec=spec, file_name=file_name)


def nothing_to_compare() -> str:
    return note("Choose a picture above: what the network says of it appears here.")
