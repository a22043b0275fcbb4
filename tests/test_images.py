"""Real files from real people: what can be read is upright RGB, the rest is named and left out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps

from lora_demo import ImageError, LoraDemoError, open_image, read_class_folder, read_class_folders
from lora_demo.limits import MAX_PIXELS
from lora_demo.words import CATEGORIES
from tests.hostile_pictures import encoded

RED, WHITE = (255, 0, 0), (255, 255, 255)


def rgb() -> Image.Image:
    """40 x 20: the left half red, the right half blue."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste((0, 0, 255), (20, 0, 40, 20))
    return image


def save(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def rotated_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90° clockwise to show"
    return exif


def sixteen_bit() -> Image.Image:
    return Image.fromarray(np.full((20, 40), 32768, np.uint16))


def half_transparent() -> Image.Image:
    image = rgb().convert("RGBA")
    image.putalpha(0)
    return image


READABLE = {
    "jpeg": (rgb(), "a.jpg", {"quality": 95}, (40, 20), RED),
    "png": (rgb(), "a.png", {}, (40, 20), RED),
    "jpeg turned by EXIF": (rgb(), "a.jpg", {"exif": rotated_exif()}, (20, 40), RED),
    "CMYK jpeg": (rgb().convert("CMYK"), "a.jpg", {"quality": 95}, (40, 20), RED),
    "grey": (rgb().convert("L"), "a.png", {}, (40, 20), (76, 76, 76)),
    "palette": (rgb().quantize(2), "a.png", {}, (40, 20), RED),
    "clear palette": (rgb().quantize(2), "a.png", {"transparency": b"\0\0"}, (40, 20), WHITE),
    "alpha is laid on white": (half_transparent(), "a.png", {}, (40, 20), WHITE),
    "grey with alpha": (half_transparent().convert("LA"), "a.png", {}, (40, 20), WHITE),
    "16 bit grey": (sixteen_bit(), "a.png", {}, (40, 20), (128, 128, 128)),
    "bitmap": (rgb(), "a.bmp", {}, (40, 20), RED),
    "first frame of a GIF": (
        rgb(),
        "a.gif",
        {"save_all": True, "append_images": [ImageOps.invert(rgb())]},
        (40, 20),
        RED,
    ),
    "first frame of a WebP": (
        rgb(),
        "a.webp",
        {"save_all": True, "append_images": [ImageOps.invert(rgb())], "lossless": True},
        (40, 20),
        RED,
    ),
    "AVIF": (rgb(), "a.avif", {"quality": 95}, (40, 20), RED),
    "with a colour profile": (
        rgb(),
        "a.png",
        {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
        (40, 20),
        RED,
    ),
}


@pytest.mark.parametrize(
    ("image", "name", "options", "size", "corner"), READABLE.values(), ids=READABLE
)
def test_real_files_become_upright_rgb(tmp_path, image, name, options, size, corner):
    opened = open_image(save(image, tmp_path / name, **options))

    assert (opened.mode, opened.size) == ("RGB", size)
    assert np.abs(np.subtract(opened.getpixel((2, 2)), corner)).max() <= 12


def test_the_size_is_checked_before_anything_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(encoded(Image.new("1", (MAX_PIXELS // 5000 + 1, 5000)), "PNG"))
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image))

    with pytest.raises(ImageError, match="million pixels"):
        open_image(path)
    assert decoded == []


def test_a_missing_file_is_named():
    with pytest.raises(ImageError, match=r"“gone.png” cannot be opened"):
        open_image("gone.png")


def test_folders_are_classes(tmp_path):
    for folder in ("goldfish", "Great_White_Shark"):
        (tmp_path / folder / "held_out").mkdir(parents=True)
        save(rgb(), tmp_path / folder / "b.png")
        save(rgb(), tmp_path / folder / "a.jpg")
        (tmp_path / folder / ".hidden").touch()

    pictures = read_class_folders(tmp_path, CATEGORIES)

    assert [(p.path.parent.name, p.name, p.label) for p in pictures] == [
        ("Great_White_Shark", "a.jpg", "great white shark"),
        ("Great_White_Shark", "b.png", "great white shark"),
        ("goldfish", "a.jpg", "goldfish"),
        ("goldfish", "b.png", "goldfish"),
    ]


@pytest.mark.parametrize(("name", "nearest"), [("goldfisch", "goldfish"), ("tea pot", "teapot")])
def test_a_folder_that_is_no_category_gets_the_nearest_names(tmp_path, name, nearest):
    (tmp_path / name).mkdir()

    with pytest.raises(LoraDemoError, match=f"“{name}”.*nearest are: .*{nearest}"):
        read_class_folder(tmp_path / name, CATEGORIES)


def test_names_that_differ_by_case_alone_stay_apart(tmp_path):
    for name in ("cardigan", "Cardigan"):
        (tmp_path / name).mkdir()
        save(rgb(), tmp_path / name / "1.png")

    labels = [picture.label for picture in read_class_folders(tmp_path, CATEGORIES)]

    assert labels == ["Cardigan", "cardigan"]


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(LoraDemoError, match=r"“data/goldfihs” is no folder"):
        read_class_folder("data/goldfihs", CATEGORIES)
