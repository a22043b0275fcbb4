"""Copies are one picture: counted once, named, and never both taught and asked about."""

import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from lora_demo import (
    AdapterSpec,
    LabelledImage,
    ReadingProgress,
    fit,
    leave_one_out,
    open_image,
    read_examples,
)
from lora_demo.backbones.duplicates import SAME
from lora_demo.backbones.features import read_features
from lora_demo.ui.render.notes import refused_note
from tests.conftest import DATA

WORDS = ("goldfish", "my mug")
SPEC = AdapterSpec("efficientnet_lite0", "guarded", class_names=WORDS)
DRAWINGS = sorted(DATA.rglob("*.png"))


def halved(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


# How a file becomes another with the same picture in it.
COPIES = {
    "the same file": lambda image, path: None,
    "the same pixels": lambda image, path: image.save(path, "BMP"),
    "JPEG": lambda image, path: image.save(path, "JPEG", quality=75),
    "a bad JPEG": lambda image, path: image.save(path, "JPEG", quality=50),
    "half the size": lambda image, path: halved(image).save(path, "PNG"),
    "half the size, JPEG": lambda image, path: halved(image).save(path, "JPEG", quality=85),
    "darker": lambda image, path: ImageEnhance.Brightness(image).enhance(0.9).save(path, "PNG"),
    "256 colours": lambda image, path: image.quantize(256).save(path, "GIF"),
}
OTHERS = {
    "turned by two degrees": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "shifted": lambda image: image.crop((image.width // 25, 0, image.width, image.height)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def read(model, pictures: list[LabelledImage]) -> ReadingProgress:
    *_, reading = read_examples(model, pictures, WORDS)
    return reading


def plain(tmp_path: Path, number: int, shade: int) -> LabelledImage:
    """As with a finger on the camera: nearly one colour, and the noise of the night."""
    noise = np.random.default_rng(number).integers(0, 5, (200, 300, 3), np.uint8)
    Image.fromarray(noise + np.uint8(shade)).save(tmp_path / f"{number}.png")
    return LabelledImage(tmp_path / f"{number}.png", "goldfish")


@pytest.mark.parametrize("save", COPIES.values(), ids=COPIES)
def test_a_copy_counts_once_and_is_named(model, goldfish, tmp_path, save):
    path = Path(shutil.copy(goldfish[0].path, tmp_path / "b.png"))
    save(open_image(path), path)

    reading = read(model, [*goldfish, LabelledImage(path, "goldfish")])

    assert reading.pictures_read == len(reading.features.labels) == 5
    [error] = reading.refused
    assert str(error) == f"“b.png” is the same picture as “{goldfish[0].name}”. It counts once."
    assert f"<li>{error}</li>" in refused_note(reading.refused)


def test_the_same_file_under_the_same_name_is_here_twice(model, goldfish):
    reading = read(model, [*goldfish, goldfish[0]])

    [error] = reading.refused
    assert str(error) == f"“{goldfish[0].name}” is here twice. It counts once."


def test_one_picture_five_times_is_no_fair_test(model, goldfish):
    reading = read(model, [goldfish[0]] * 5)

    assert reading.pictures_read == 1
    assert list(leave_one_out(model, reading.features, SPEC)) == []


def test_five_black_pictures_are_one(model, tmp_path):
    reading = read(model, [plain(tmp_path, number, 0) for number in range(5)])

    assert (reading.pictures_read, len(reading.refused)) == (1, 4)


def test_paper_of_another_shade_is_another_picture(model, tmp_path):
    reading = read(model, [plain(tmp_path, number, shade) for number, shade in enumerate((0, 250))])

    assert reading.pictures_read == 2


def test_the_same_picture_under_two_words_is_named(model, goldfish, tmp_path):
    path = Path(shutil.copy(goldfish[0].path, tmp_path / "b.png"))

    reading = read(model, [*goldfish, LabelledImage(path, "my mug"), *mugs()])

    assert reading.pictures_read == 7
    [error] = reading.refused
    assert str(error) == (
        f"“b.png” is the same picture as “{goldfish[0].name}”, once as “goldfish” and once as "
        "“my mug”. It cannot show both: delete the wrong one."
    )


def test_a_word_of_which_only_copies_are_left_keeps_the_others_from_nothing(model, goldfish):
    copies = [LabelledImage(picture.path, "my mug") for picture in goldfish]

    reading = read(model, [*goldfish, *copies])

    *_, progress = fit(model, reading.features, SPEC)
    answers = progress.adapter.logits(reading.features).argmax(1)
    assert {progress.adapter.categories[answer] for answer in answers} == {"goldfish"}


def mugs() -> list[LabelledImage]:
    return [LabelledImage(DATA / "teapot" / f"{number}.png", "my mug") for number in (1, 2)]


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_the_next_photo_is_another_picture(model, goldfish, tmp_path, change):
    for number, picture in enumerate(goldfish):
        change(open_image(picture.path)).save(tmp_path / f"{number}.png")
    changed = [LabelledImage(path, "goldfish") for path in sorted(tmp_path.iterdir())]

    reading = read(model, [*goldfish, *changed])

    assert reading.refused == ()


def test_different_drawings_are_far_apart(model):
    miniatures = [read_features(model, path, with_pixels=False).miniature for path in DRAWINGS]

    nearest = min((a - b).norm() for a, b in combinations(miniatures, 2))

    assert nearest > 4 * SAME


@pytest.mark.parametrize(
    ("first", "second", "once", "again"),
    [
        ("goldfish", None, "goldfish", "none of these"),
        (None, "goldfish", "none of these", "goldfish"),
    ],
)
def test_a_picture_cannot_be_an_example_and_none_of_these(
    model, goldfish, tmp_path, first, second, once, again
):
    path = Path(shutil.copy(goldfish[0].path, tmp_path / "b.png"))
    pictures = [LabelledImage(goldfish[0].path, first), LabelledImage(path, second)]

    reading = read(model, [*pictures, *goldfish[1:]])

    assert reading.pictures_read == 5
    [error] = reading.refused
    assert str(error) == (
        f"“b.png” is the same picture as “{goldfish[0].name}”, once as “{once}” and once as "
        f"“{again}”. It cannot show both: delete the wrong one."
    )


def test_a_copy_of_a_correction_counts_once(model, goldfish, tmp_path):
    path = Path(shutil.copy(DATA / "snail" / "1.png", tmp_path / "b.png"))
    corrections = [LabelledImage(p, None) for p in (DATA / "snail" / "1.png", path)]

    reading = read(model, [*goldfish, *corrections])

    assert int((~reading.features.is_example).sum()) == 1
    assert [str(e) for e in reading.refused] == [
        "“b.png” is the same picture as “1.png”. It counts once."
    ]
