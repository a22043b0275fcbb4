"""Show a decoded picture of any kind as one sees it: upright, RGB, on white paper."""

import struct

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {  # from each orientation to upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREYS = {"L;2": 85, "L;4": 17}  # greys of few bits in a PNG: 255 / the brightest


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return the first frame as browsers show it. Raises Pillow's own errors."""
    _fit_clear_colour(image)
    image.load()  # the EXIF of a PNG may follow the pixels
    turn = _TURNS.get(orientation(image.info.get("exif") or b""))
    image = _to_rgb(image)
    return image if turn is None else image.transpose(turn)


def orientation(exif: bytes) -> int:
    """Read the orientation, 1 to 8; 1, which is upright, if none can be read.

    Other tags may be broken, as in browsers; Pillow's own reader gives up at them.
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
    """Bring the transparent colour of a PNG to 8 bits, as Pillow does with the pixels only."""
    clear = image.info.get("transparency")
    if not isinstance(image, PngImageFile) or clear is None or not image.tile:
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
    """Scale 16-bit grey to 8 bits; plain conversion clips it and loses the clear colour."""
    values, clear = np.asarray(image), image.info.get("transparency")
    grey = Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))
    if clear is not None:
        grey.putalpha(Image.fromarray(np.uint8(255) * (values != clear)))
    return grey
