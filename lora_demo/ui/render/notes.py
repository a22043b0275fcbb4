"""Records of the core as sentences for the page. Pure: nothing is done here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from lora_demo.backbones.weights import DownloadProgress
from lora_demo.errors import LoraDemoError
from lora_demo.lora.spec import AdapterSpec

if TYPE_CHECKING:
    from lora_demo.lora.fitting import FitProgress


def step(number: int, title: str, text: str) -> str:
    """The heading of a step."""
    return f'<div class="step"><b>{number}</b><div><h2>{title}</h2><p>{text}</p></div></div>'


def note(text: str, kind: str = "info") -> str:
    """One line that tells how things stand; `kind` is info, busy, good, warn or bad."""
    return f'<div class="note note-{kind}" role="status">{text}</div>'


def problem(error: LoraDemoError) -> str:
    return note(escape(str(error)), "bad")


def progress_note(progress: FitProgress) -> str:
    """How far reading or training is, in words, with a bar and the time left."""
    if progress.adapter is None:
        seen = progress.pictures_read + len(progress.refused)
        share = seen / progress.pictures
        text = f"Looking at picture {min(seen + 1, progress.pictures)} of {progress.pictures}"
    else:
        share = len(progress.points) / progress.epochs
        text = f"Practising: round {len(progress.points)} of {progress.epochs}"
    left = progress.seconds_left
    if left is not None:
        text += f" · {_duration(left)} left"
    return note(f"{text}{bar(share)}", "busy")


def ready_note(
    pictures: int, words: Sequence[str] = (), new: Sequence[str] = (), near: Sequence[str] = ()
) -> str:
    """What to do next, before a training: `words` are what all the pictures show, where known.

    `new` are those that the network does not know, `near` known ones spelled like the first.
    """
    if not pictures:
        return note("Add pictures in step 1 to begin.")
    if not words:
        return note(f"{count(pictures, 'picture')}. What do they show? Choose it in step 2.")
    names = ", ".join(f"“{escape(word)}”" for word in words)
    text = f"Ready: {count(pictures, 'picture')} of {names}. Press Train."
    if new:
        text += f" The network has no word “{escape(new[0])}” yet: it will be a new one."
        if near:
            text += f" Or did you mean {escape(' or '.join(near[:3]))}?"
    return note(text)


def refused_note(errors: Sequence[LoraDemoError]) -> str:
    """Which files were left out, and why; nothing where none was."""
    if not errors:
        return ""
    items = "".join(f"<li>{escape(str(error))}</li>" for error in errors)
    return note(f"<b>Left out:</b><ul>{items}</ul>", "warn")


def end_note(progress: FitProgress) -> str:
    """What happened, in words: how long, what was learned, which files were left out."""
    if progress.adapter is None:
        return note("Stopped while looking at the pictures. Nothing was learned this time.")
    first, last = progress.points[0], progress.points[-1]
    lead = "Done!" if progress.done else "Stopped; what was learned is kept."
    rounds = count(len(progress.points), "round")
    if not progress.done:
        rounds = f"{len(progress.points)} of {count(progress.epochs, 'round')}"
    names = ", ".join(f"“{escape(name)}”" for name in progress.adapter.spec.class_names)
    text = (
        f"<b>{lead}</b> {rounds} with "
        f"{count(progress.pictures_read, 'picture')} took {_duration(last.seconds)}. The mistake "
        f"(loss) went from {first.loss:.2f} to {last.loss:.2f}. "
    )
    if last.loss > 0.8 * first.loss:
        text += "It has hardly learned yet: give it more rounds."
    else:
        text += f'Now see in <a href="#trial">step 4</a> whether it knows {names} in a new picture.'
    learned = note(text, "good" if progress.done else "info")
    return learned + refused_note(progress.refused)


def download_note(progress: DownloadProgress) -> str:
    done, total = progress.bytes_read / 2**20, progress.bytes_total / 2**20
    text = f"Downloading VGG-19 from {progress.source}: {done:.0f} of {total:.0f} MB"
    return note(f"{text}{bar(min(done / total, 1))}", "busy")


def taught(spec: AdapterSpec) -> str:
    """What the LoRA in use was taught, so that nobody takes it for the pictures in step 1."""
    if not spec.class_names:
        return "This LoRA’s file does not say what it was taught."
    return f"This LoRA was taught: <b>{listed(spec.class_names)}</b>."


def listed(words: Sequence[str]) -> str:
    """The first three words, as HTML."""
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return escape(", ".join(words[:3])) + more


def earlier_note(spec: AdapterSpec) -> str:
    """The title of a result that is not of the pictures and words that are there now."""
    return note(
        f"<b>Your last training: {listed(spec.class_names)}.</b> The result below is of that one, "
        "not of what is in steps 1 and 2 now."
    )


def loaded_note(spec: AdapterSpec, file_name: str) -> str:
    names = escape(", ".join(spec.class_names))
    taught = f"It was taught {names}" if names else "The file does not say what it was taught"
    return note(
        f"“{escape(file_name)}” is loaded. {taught}; its rank is {spec.rank}. See what it answers "
        'in <a href="#trial">step 4</a>.',
        "good",
    )


def nothing_to_compare() -> str:
    return note("Choose a picture above: what the network says of it appears here.")


def bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{share:.0%}"></i></span>'


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
