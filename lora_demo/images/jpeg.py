"""Count what a JPEG asks of its decoder, before it is decoded."""

import re

from lora_demo.limits import MAX_EXIF_BLOCKS, MAX_JPEG_SCANS, MAX_PICTURE_READS

SCAN, END, EXIF = 0xDA, 0xD9, 0xE1
# Not bytes of the picture (FF 00), fill bytes (FF FF), or restarts within a scan.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
# Markers without a length, or after which one of Pillow's two readers goes on at once.
_ALONE = frozenset((0x01, 0xC8, 0xD8, END, 0xDE, *range(0xF0, 0xFE)))


def excess(data: bytes) -> str | None:
    """Name what a JPEG has too many of, or return None.

    What follows the end of the picture is not counted: phones put a video there. An end marker
    before the first scan does not count as the end, as Pillow goes on to look for a picture.
    """
    scans = exif_blocks = at = 0
    for _ in range(MAX_PICTURE_READS):
        found = _MARKER.search(data, at)
        marker = found[1][0] if found else END
        if not found or (marker == END and scans):
            return None
        at = found.end()
        scans += marker == SCAN
        exif_blocks += marker == EXIF and data.startswith(b"Exif\0\0", at + 2)
        if scans > MAX_JPEG_SCANS:
            return "passes over the picture"
        if exif_blocks > MAX_EXIF_BLOCKS:
            return "EXIF blocks"
        if marker not in _ALONE:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return "parts"
