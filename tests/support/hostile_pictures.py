"""Pictures that mean harm, and the reason for which each is refused. Made when asked for."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from lora_demo.limits import MAX_JPEG_SCANS, MAX_PICTURE_BYTES
from tests.support import hostile_heic

KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "HEIC")
NO_PICTURE, DAMAGED, MANY_PARTS = "not a picture", "damaged or cut short", "too many parts"
PASSES, BLOCKS = "too many passes", "EXIF blocks"
END, EXIF = b"\xff\xd9", b"\xff\xe1\0\x09Exif\0\0x"  # of a JPEG
PNG_HEAD = 33  # bytes: the signature and the first chunk, which has the size
SCRIPT = b"<script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))


def whole(kind: str) -> bytes:
    return hostile_heic.PLAIN.read_bytes() if kind == "HEIC" else encoded(noise(), kind)


def cut(data: bytes) -> dict[int, bytes]:
    """The first 5 %, 10 %, ... 95 %."""
    return {percent: data[: len(data) * percent // 100] for percent in range(5, 100, 5)}


def stuffed(data: bytes, at: int, part: bytes) -> bytes:
    """`part` over and over, up to the largest file that is taken."""
    times = (MAX_PICTURE_BYTES - len(data)) // len(part)
    return data[:at] + part * times + data[at:]


def png_chunk(name: bytes, content: bytes = b"") -> bytes:
    packed = struct.pack(">L", zlib.crc32(name + content))
    return struct.pack(">L", len(content)) + name + content + packed


def many_png_chunks(name: bytes) -> bytes:
    return stuffed(whole("PNG"), PNG_HEAD, png_chunk(name))


def many_jpeg_parts(part: bytes) -> bytes:
    return stuffed(whole("JPEG"), 2, part)


def gif_with(part: bytes, after: bytes = b"") -> bytes:
    data = encoded(Image.new("L", (64, 64)), "GIF")
    head = 13 + 3 * 2 ** ((data[10] & 7) + 1)  # the palette ends here
    return stuffed(data[:head] + after + data[head:], head, part)


def one_long_gif_comment() -> bytes:
    """Pillow adds each block to those before it, by copying all of them."""
    data = gif_with(b"\xff" + b"x" * 255, after=b"\0")
    head = data.index(b"\xff" + b"x" * 255)
    return data[: head - 2] + b"\x21\xfe" + data[head:]


def many_scans(between: bytes = b"") -> bytes:
    """Each goes over all pixels: 20 bytes ask for 50 million steps."""
    data = encoded(Image.new("RGB", (500, 500)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + between + data[last:-2] * MAX_JPEG_SCANS + data[-2:]


def jpeg_segment(marker: bytes, content: bytes) -> bytes:
    return marker + struct.pack(">H", len(content) + 2) + content


def exif_in_segments(marker: bytes) -> bytes:
    """EXIF blocks within others, which one of Pillow's two readers does not step over."""
    data = whole("JPEG")
    return data[:2] + jpeg_segment(marker, EXIF * 3000) * 30 + data[2:]


def black_png(width: int, height: int, rows: int) -> bytes:
    """Says a size, and has some of its rows, of a bit a pixel."""
    head = png_chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0))
    pixels = zlib.compress(bytes(((width + 7) // 8 + 1) * rows), 1)
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND")


def text_bomb() -> bytes:
    """A compressed note of 100 MB."""
    note = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100 * 2**20)))
    return whole("PNG")[:PNG_HEAD] + note + whole("PNG")[PNG_HEAD:]


def wide_webp() -> bytes:
    """An animation whose canvas says 16,384 x 16,384."""
    data = encoded(noise(), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    canvas = data.index(b"VP8X") + 12
    return data[:canvas] + b"\xff\x3f\0" * 2 + data[canvas + 6 :]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "0 bytes": (lambda: b"", "empty"),
    "text": (lambda: b"hello, I am no picture", NO_PICTURE),
    "html": (lambda: b"<html>" + SCRIPT, NO_PICTURE),
    "html, then a png": (lambda: SCRIPT + whole("PNG"), NO_PICTURE),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'>" + SCRIPT, NO_PICTURE),
    "pdf": (lambda: b"%PDF-1.7\n" + SCRIPT, NO_PICTURE),
    "postscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NO_PICTURE),
    "a program": (lambda: b"\x7fELF" + bytes(2000), NO_PICTURE),
    "zip": (lambda: b"PK\x05\x06" + bytes(18), NO_PICTURE),
    "a format not on the list": (lambda: encoded(noise(), "TIFF"), NO_PICTURE),
    "only a signature": (lambda: b"\x89PNG\r\n\x1a\n", NO_PICTURE),
    "too many bytes": (lambda: b"\xff" * (MAX_PICTURE_BYTES + 1), "15 MB is the most"),
    "million pixels": (lambda: black_png(10_000, 5_001, 5_001), "million pixels"),
    "a bomb": (lambda: black_png(30_000, 30_000, 30_000), "million pixels"),
    "a wide webp": (wide_webp, "million pixels"),
    "a strip": (lambda: black_png(9_000, 3, 3), "too narrow"),
    "a note of 100 MB": (text_bomb, DAMAGED),
    "many scans": (many_scans, PASSES),
    "scans behind an end in a note": (
        lambda: many_scans(jpeg_segment(b"\xff\xfe", END * 9)),
        PASSES,
    ),
    "scans behind restarts": (
        lambda: many_scans(b"\xff\xd0" * 9 + b"\xff\0" + b"\xff" * 9),
        PASSES,
    ),
    "scans behind notes": (lambda: many_scans(b"\xff\xfe\0\2" * 10**6), MANY_PARTS),
    "many EXIF blocks": (lambda: many_jpeg_parts(EXIF), BLOCKS),
    "EXIF blocks behind an end": (lambda: many_jpeg_parts(END + EXIF), BLOCKS),
    "EXIF blocks in a segment": (lambda: exif_in_segments(b"\xff\xf0"), BLOCKS),
    "many JPEG segments": (lambda: many_jpeg_parts(b"\xff\xe5\0\2"), MANY_PARTS),
    "many JPEG comments": (lambda: many_jpeg_parts(b"\xff\xfe\0\2"), MANY_PARTS),
    "segments of no length": (lambda: many_jpeg_parts(b"\xff\xe5\0\0"), MANY_PARTS),
    "millions of fill bytes": (lambda: many_jpeg_parts(b"\xff"), DAMAGED),
    "many private PNG chunks": (lambda: many_png_chunks(b"prVt"), DAMAGED),
    "many empty PNG chunks": (lambda: many_png_chunks(b"IDAT"), DAMAGED),
    "a long GIF comment": (one_long_gif_comment, DAMAGED),
    "many GIF comments": (lambda: gif_with(b"\x21\xfe\1x\0"), DAMAGED),
    "junk between GIF blocks": (lambda: gif_with(b"\1"), DAMAGED),
    "HEIC: a thousand large tiles": (hostile_heic.many_tiles, "million pixels"),
    "HEIC: a thousand tiles": (lambda: hostile_heic.many_tiles(px=4096), DAMAGED),
    "HEIC: a thousand small tiles, eight times": (lambda: hostile_heic.nested(2, 90), DAMAGED),
    "HEIC: pictures of pictures": (hostile_heic.nested, DAMAGED),
    "HEIC: a circle of pictures": (hostile_heic.circle, DAMAGED),
    "HEIC: a profile for each of many": (hostile_heic.many_profiles, DAMAGED),
    "HEIC: a bomb": (lambda: hostile_heic.one(hostile_heic.ispe(30_000, 30_000)), "million pixels"),
    "HEIC: larger than it says": (lambda: hostile_heic.one(hostile_heic.ispe(9, 9)), DAMAGED),
    "HEIC: without a size": (lambda: hostile_heic.one(b""), DAMAGED),
    "HEIC: a strip": (lambda: hostile_heic.one(hostile_heic.ispe(9_000, 3)), "too narrow"),
    "HEIC: two heads": (hostile_heic.two_heads, DAMAGED),
    "a film": (lambda: b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(2000), NO_PICTURE),
}

# Files of two kinds at once: they are read as the picture that they are, and as nothing else.
POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "png, then html": lambda: whole("PNG") + SCRIPT,
    "jpeg, then zip": lambda: whole("JPEG") + b"PK\x05\x06" + bytes(18),
    "png with a script as note": lambda: (
        whole("PNG")[:PNG_HEAD] + png_chunk(b"tEXt", b"Title\0" + SCRIPT) + whole("PNG")[PNG_HEAD:]
    ),
    "jpeg with a script as comment": lambda: (
        b"\xff\xd8\xff\xfe" + struct.pack(">H", len(SCRIPT) + 2) + SCRIPT + whole("JPEG")[2:]
    ),
}
