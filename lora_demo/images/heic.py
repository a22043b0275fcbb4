"""Check HEIC, as phones make it: the work for its decoder, libheif, is counted before it begins.

ISO/IEC 14496-12 (boxes) and 23008-12 (items, their properties, and pictures made of others).
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pi_heif import register_heif_opener
from PIL import Image

from lora_demo.limits import MAX_HEIC_HEAD_BYTES, MAX_PIXELS

BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split())
LEAST_WORK = 2**16  # pixels: starting any picture takes as long as these
MOST_WORK = 5 * MAX_PIXELS // 2  # pixels: of a picture and its tiles, which may reach over its edge
KEPT = (b"ftyp", b"meta", b"mdat")  # the rest is films and the like
UNWANTED = (b"unci", b"mski")  # packed like a zip, and so of any size when unpacked


@dataclass(frozen=True)
class Box:
    kind: bytes
    at: int
    start: int  # of its content
    end: int


def is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS


def open_heic() -> None:
    """Let Pillow open HEIC files, and only the main pictures in them."""
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def tame(data: bytes) -> bytes:
    """Return the file without films, and without notes, which are copied for each picture in it.

    Raises `ValueError` if its parts make no sense or mean too much work, and
    `DecompressionBombError` if one of its pictures has too many pixels.
    """
    tamed = bytearray(data)
    boxes = list(_boxes(data, 0, len(data)))
    for box in boxes:
        if box.kind not in KEPT:
            tamed[box.at + 4 : box.at + 8] = b"free"
    (head,) = (box for box in boxes if box.kind == b"meta")
    if head.end - head.start > MAX_HEIC_HEAD_BYTES:
        raise ValueError("the head is too long")
    if any(kind in data[head.start : head.end] for kind in UNWANTED):
        raise ValueError("it has pictures of a kind that is not read")
    inside = list(_boxes(data, head.start + 4, head.end))
    (properties,) = (box for box in inside if box.kind == b"iprp")
    references = [box for box in inside if box.kind == b"iref"]
    if len(references) > 1:
        raise ValueError("one of the two lists of its parts would stay unread")
    parts = _parts(data, tamed, references[0]) if references else {}
    _check_work(_pixels(data, properties), parts)
    return bytes(tamed)


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    while start < end:
        size, kind = struct.unpack_from(">L4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            raise ValueError("a box ends outside the file")
        yield Box(kind, start, start + head, start + size)
        start += size


def _pixels(data: bytes, properties: Box) -> dict[int, int]:
    """Read how many pixels each picture in the file claims to have."""
    inside = list(_boxes(data, properties.start, properties.end))
    (container,) = (box for box in inside if box.kind == b"ipco")
    known = list(_boxes(data, container.start, container.end))
    pixels = {}
    for box in inside:
        if box.kind == b"ipma":
            for item, numbers in _associations(data, box):
                mine = [known[number - 1] for number in numbers if 0 < number <= len(known)]
                sizes = [
                    struct.unpack_from(">LL", data, b.start + 4) for b in mine if b.kind == b"ispe"
                ]
                if not sizes and any(b.kind == b"hvcC" for b in mine):
                    raise ValueError("a picture does not say its size")
                pixels[item] = max([pixels.get(item, 0), *(w * h for w, h in sizes)])
    return pixels


def _associations(data: bytes, box: Box) -> Iterator[tuple[int, list[int]]]:
    """Yield each item with the numbers of its properties, counted from 1."""
    version, wide = data[box.start], data[box.start + 3] & 1
    (count,) = struct.unpack_from(">L", data, box.start + 4)
    at = box.start + 8
    for _ in range(count):
        item, number = struct.unpack_from(">LB" if version else ">HB", data, at)
        at += 5 if version else 3
        form = f">{number}{'H' if wide else 'B'}"
        yield item, [n & (0x7FFF if wide else 0x7F) for n in struct.unpack_from(form, data, at)]
        at += struct.calcsize(form)


def _parts(data: bytes, tamed: bytearray, references: Box) -> dict[int, list[int]]:
    """Read which pictures each picture is made of; blank in `tamed` what only describes one."""
    form, parts = ("L" if data[references.start] else "H"), defaultdict(list)
    for box in _boxes(data, references.start + 4, references.end):
        if box.kind == b"cdsc":
            tamed[box.at + 4 : box.at + 8] = b"skip"
        elif box.kind == b"dimg":
            item, count = struct.unpack_from(f">{form}H", data, box.start)
            at = box.start + struct.calcsize(f">{form}H")
            parts[item] += struct.unpack_from(f">{count}{form}", data, at)
    return parts


def _check_work(pixels: dict[int, int], parts: dict[int, list[int]]) -> None:
    if max(pixels.values(), default=0) > MAX_PIXELS:
        raise Image.DecompressionBombError
    work: dict[int, int] = {}

    def count(item: int, depth: int) -> int:
        if depth > 5:
            raise ValueError("it is made of pictures of pictures without end")
        if item not in work:
            own = max(pixels.get(item, 0), LEAST_WORK)
            work[item] = own + sum(count(part, depth + 1) for part in parts.get(item, ()))
        return work[item]

    if any(count(item, 0) > MOST_WORK for item in {*pixels, *parts}):
        raise ValueError("it is made of too many pictures")
