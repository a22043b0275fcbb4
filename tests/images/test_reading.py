"""Real files from real people: what can be read is upright RGB, the rest is named and left out."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps

from lora_demo import ImageError, LoraDemoError, open_image, read_class_folder, read_class_folders
from lora_demo.class_names import CATEGORIES
from lora_demo.images.reading import browser_copy
from lora_demo.limits import MAX_PIXELS
from tests.support import hostile_heic
from tests.support.hostile_pictures import encoded, png_chunk

HEIC = Path(__file__).parents[1] / "corpus" / "heic"
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


def sixteen_bit(value: int = 32768) -> Image.Image:
    return Image.fromarray(np.full((20, 40), value, np.uint16))


def half_transparent() -> Image.Image:
    image = rgb().convert("RGBA")
    image.putalpha(0)
    return image


# What turns an upright picture into one of that orientation (EXIF 2.32, 4.6.4).
TURNED_AWAY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
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
    "16 bit grey with a clear one": (
        sixteen_bit(),
        "a.png",
        {"transparency": 32768},
        (40, 20),
        WHITE,
    ),
    "16 bit grey beside the clear one": (
        sixteen_bit(32769),
        "a.png",
        {"transparency": 32768},
        (40, 20),
        (128, 128, 128),
    ),
    "8 bit grey with a clear one": (
        rgb().convert("L"),
        "a.png",
        {"transparency": 76},
        (40, 20),
        WHITE,
    ),
    "a clear colour": (rgb(), "a.png", {"transparency": RED}, (40, 20), WHITE),
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


def jpeg(**options) -> bytes:
    return encoded(rgb(), "JPEG", quality=95, **options)


def film() -> bytes:
    """What a phone puts behind a photo; its bytes look like parts of pictures, as bytes do."""
    return b"\0\0\0\x18ftypmp42" + bytes(8) + (b"\xff\xda\0\x04" + b"Exif\0\0") * 1000


def exif(*tags: tuple[int, int, int, int], order: str = "<") -> bytes:
    """A first folder of tags (number, type, count, value), whatever the standard says of them."""
    folder = b"".join(struct.pack(f"{order}HHLL", *tag) for tag in tags)
    head = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + head + struct.pack(f"{order}LH", 8, len(tags)) + folder + bytes(4)


def png_of(bits: int, colour: int, pixel: bytes, clear: bytes) -> bytes:
    """40 x 20 of one colour, which is clear; Pillow cannot write all of these."""
    head = struct.pack(">LLBBBBB", 40, 20, bits, colour, 0, 0, 0)
    rows = (b"\0" + pixel * (40 * bits * (3 if colour else 1) // 8 // len(pixel))) * 20
    chunks = ((b"IHDR", head), (b"tRNS", clear), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


CLEAR = {
    "1 bit grey": (1, 0, b"\xff", b"\0\1"),
    "2 bit grey": (2, 0, b"\xaa", b"\0\2"),
    "4 bit grey": (4, 0, b"\x33", b"\0\3"),
    "16 bit grey": (16, 0, b"\x12\x34", b"\x12\x34"),
    "16 bit colour": (16, 2, b"\x12\x34\x56\x78\x9a\xbc", b"\x12\x34\x56\x78\x9a\xbc"),
}


@pytest.mark.parametrize(("bits", "colour", "pixel", "clear"), CLEAR.values(), ids=CLEAR)
def test_the_clear_colour_of_a_png_is_white_paper(tmp_path, bits, colour, pixel, clear):
    path = tmp_path / "a.png"
    path.write_bytes(png_of(bits, colour, pixel, clear))

    assert open_image(path).getcolors() == [(800, WHITE)]


UPRIGHT, TURNED = (40, 20), (20, 40)
TURN = (0x0112, 3, 1, 6)
AS_THEY_COME: dict[str, tuple[str, bytes, tuple[int, int]]] = {
    "no ending, as from Android": ("1000012345", jpeg(), UPRIGHT),
    "pjpeg": ("photo.pjpeg", jpeg(), UPRIGHT),
    "jfif": ("photo.jfif", jpeg(), UPRIGHT),
    "dib": ("photo.dib", encoded(rgb(), "BMP"), UPRIGHT),
    "dib without the head of a file": ("photo.dib", encoded(rgb(), "DIB"), UPRIGHT),
    "a PNG that says it is a JPEG": ("photo.jpg", encoded(rgb(), "PNG"), UPRIGHT),
    "a JPEG that says it is a film": ("photo.mp4", jpeg(), UPRIGHT),
    "motion photo": ("PXL_2024.MP.jpg", jpeg() + film(), UPRIGHT),
    "two pictures in one": ("IMG_1.jpg", encoded(rgb(), "MPO", quality=95), UPRIGHT),
    "two pictures, the other one behind": (
        "IMG_1.jpg",
        encoded(rgb(), "MPO", quality=95, save_all=True, append_images=[ImageOps.invert(rgb())]),
        UPRIGHT,
    ),
    "resolution as a byte": ("a.jpg", jpeg(exif=exif(TURN, (0x011A, 1, 1, 72))), TURNED),
    "a folder of tags that is nowhere": (
        "a.jpg",
        jpeg(exif=exif(TURN, (0x8769, 4, 1, 9999))),
        TURNED,
    ),
    "other folders that are nowhere": (
        "a.jpg",
        jpeg(exif=exif(TURN, (0x014A, 4, 9, 8), (0xA005, 4, 1, 1 << 31))),
        TURNED,
    ),
    "a text before it that is nowhere": (
        "a.jpg",
        jpeg(exif=exif((0x010F, 2, 99, 9999), TURN)),
        TURNED,
    ),
    "a tag of a type that there is not": (
        "a.jpg",
        jpeg(exif=exif((0x010F, 99, 1, 0), TURN)),
        TURNED,
    ),
    "a turn as a long number": ("a.jpg", jpeg(exif=exif((0x0112, 4, 1, 6))), TURNED),
    "a turn that there is not": ("a.jpg", jpeg(exif=exif((0x0112, 3, 1, 9))), UPRIGHT),
    "a turn as a text": ("a.jpg", jpeg(exif=exif((0x0112, 2, 1, 6))), UPRIGHT),
    "a turn behind the end": ("a.jpg", jpeg(exif=exif(TURN)[:18]), UPRIGHT),
    "EXIF that is none": ("a.jpg", jpeg(exif=b"Exif\0\0" + b"?" * 99), UPRIGHT),
    "EXIF of a head alone": ("a.jpg", jpeg(exif=b"Exif\0\0II*\0"), UPRIGHT),
    "HEIC": ("IMG_0001.HEIC", (HEIC / "plain.heic").read_bytes(), (64, 32)),
    "HEIC on its side": ("IMG_0001.HEIC", (HEIC / "sideways.heic").read_bytes(), (64, 32)),
    "HEIC with alpha": ("a.heif", (HEIC / "alpha.heic").read_bytes(), (64, 32)),
    "HEIC of tiles": ("a.heic", hostile_heic.good_grid(), (100, 120)),
    "HEIC with notes": ("a.heic", hostile_heic.many_notes(count=9), (64, 64)),
    "HEIC behind which a film lies": (
        "a.heic",
        (HEIC / "plain.heic").read_bytes() + hostile_heic.box(b"mpvd", film()),
        (64, 32),
    ),
}


@pytest.mark.parametrize(("name", "data", "size"), AS_THEY_COME.values(), ids=AS_THEY_COME)
def test_a_picture_is_judged_by_what_it_holds(tmp_path, name, data, size):
    (tmp_path / name).write_bytes(data)

    opened = open_image(tmp_path / name)

    assert (opened.mode, opened.size) == ("RGB", size)
    assert np.abs(np.subtract(opened.getpixel((2, 2)), RED)).max() <= 12


def test_what_is_no_picture_is_named_whatever_its_ending(tmp_path):
    (tmp_path / "photo.dng").write_bytes(b"II*\0\x08\0\0\0" + b"II*\0" * 20)

    with pytest.raises(ImageError, match=r"“photo.dng” is not a picture .*HEIC"):
        open_image(tmp_path / "photo.dng")


def corners(image: Image.Image) -> list[str]:
    """The colours of the four corners, from top left to bottom right."""
    names = {RED: "red", (0, 255, 0): "green", (0, 0, 255): "blue", WHITE: "white"}
    right, low = image.width - 5, image.height - 5
    found = [image.getpixel(place) for place in ((4, 4), (right, 4), (4, low), (right, low))]
    return [names[min(names, key=lambda name: np.abs(np.subtract(name, f)).sum())] for f in found]


@pytest.mark.parametrize("turn", range(10))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_every_turn_is_turned_back(tmp_path, kind, turn):
    image = Image.new("RGB", (48, 32))
    for colour, at in {"red": (0, 0), "lime": (24, 0), "blue": (0, 16), "white": (24, 16)}.items():
        image.paste(colour, (*at, at[0] + 24, at[1] + 16))
    held = image.transpose(TURNED_AWAY[turn]) if turn in TURNED_AWAY else image
    order = "<>"[turn % 2]
    tag = exif((0x0112, 3, 1, turn if order == "<" else turn << 16), order=order)
    path = tmp_path / "picture"
    path.write_bytes(encoded(held, kind, quality=95, exif=tag))

    opened = open_image(path)

    assert opened.size == (48, 32)
    assert corners(opened) == ["red", "green", "blue", "white"]


def test_the_size_is_checked_before_anything_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(encoded(Image.new("1", (MAX_PIXELS // 5000 + 1, 5000)), "PNG"))
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image))

    with pytest.raises(ImageError, match="million pixels"):
        open_image(path)
    assert decoded == []


SHOWN = {
    "a JPEG": ("a.jpg", jpeg(), None),
    "a JPEG in capitals": ("A.JPEG", jpeg(), None),
    "a PNG": ("a.png", encoded(rgb(), "PNG"), None),
    "a GIF": ("a.gif", encoded(rgb(), "GIF"), None),
    "a WebP": ("a.webp", encoded(rgb(), "WEBP"), None),
    "a BMP": ("a.bmp", encoded(rgb(), "BMP"), None),
    "an AVIF": ("a.avif", encoded(rgb(), "AVIF"), None),
    "a JPEG without an ending": ("1000012345", jpeg(), ".jpg"),
    "a pjpeg": ("a.pjpeg", jpeg(), ".jpg"),
    "two pictures in one": ("a.mpo", encoded(rgb(), "MPO"), ".jpg"),
    "a dib": ("a.dib", encoded(rgb(), "BMP"), ".bmp"),
    "a PNG that says it is a JPEG": ("a.jpg", encoded(rgb(), "PNG"), ".png"),
    "an AVIF that says it is a HEIC": ("a.heic", encoded(rgb(), "AVIF"), ".avif"),
}


@pytest.mark.parametrize(("name", "data", "ending"), SHOWN.values(), ids=SHOWN)
def test_browsers_get_the_same_bytes_under_the_ending_that_fits(tmp_path, name, data, ending):
    (tmp_path / name).write_bytes(data)

    assert browser_copy(tmp_path / name) == (ending and (data, ending))


@pytest.mark.parametrize(
    "data",
    [(HEIC / "sideways.heic").read_bytes(), encoded(rgb().resize((64, 32), 0), "DIB")],
    ids=["HEIC", "dib without the head of a file"],
)
def test_browsers_get_an_upright_jpeg_of_what_they_do_not_know(tmp_path, data):
    (tmp_path / "a.heic").write_bytes(data)

    copy, ending = browser_copy(tmp_path / "a.heic")

    assert ending == ".jpg"
    with Image.open(io.BytesIO(copy)) as shown:
        assert (shown.format, shown.size, "exif" in shown.info) == ("JPEG", (64, 32), False)
        assert np.abs(np.subtract(shown.getpixel((2, 2)), RED)).max() <= 12


def test_of_what_is_no_picture_browsers_get_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"<html>")

    with pytest.raises(ImageError, match="not a picture"):
        browser_copy(tmp_path / "a.png")


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
