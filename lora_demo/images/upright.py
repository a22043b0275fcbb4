"""A decoded picture of any kind as one sees it: upright, RGB, on white paper."""

import struct

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {  # what makes a picture of that orientation upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREYS = {"L;2": 85, "L;4": 17}  # a PNG's grey of few bits: 255 by its brightest


def upright_rgb(image: Image.Image) -> Image.Image:
    """The first frame as browsers show it. Pillow's own errors where it cannot be decoded."""
    _fit_clear_colour(image)
    image.load()  # a PNG may have its EXIF behind the pixels
    turn = _TURNS.get(orientation(image.info.get("exif") or b""))
    image = _to_rgb(image)
    return image if turn is None else image.transpose(turn)


def orientation(exif: bytes) -> int:
    """1 to 8; 1, which is upright, where nothing else can be made out.

    All other tags may be as broken as they like, as in browsers; Pillow's reader gives up at them.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4], "")
    try:
        (first,) = struct.unpack_from(f"{order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
            if order and tag == _ORIENTATION:
                return struct.unpack_from(order + {1: "B", 3: "H", 4: "L"}[kind], tiff, at + 8)[0]
    except (struct.error, KeyError):
        pass
    return 1


def _fit_clear_colour(image: Image.Image) -> None:
    """Bring the colour that a PNG calls clear to 8 bits; Pillow does so with the pixels alone."""
    clear = image.info.get("transparency")
    if image.format != "PNG" or clear is None or not image.tile:
        return
    rawmode = image.tile[0][3]
    if rawmode in _GREYS:
        image.info["transparency"] = clear * _GREYS[rawmode]
    elif rawmode == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Of 16-bit grey; plain conversion would clip, not scale, and would lose the clear colour."""
    values, clear = np.asarray(image), image.info.get("transparency")
    grey = Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))
    if clear is not None:
        grey.putalpha(Image.fromarray(np.uint8(255) * (values != clear)))
    return grey
