"""What a JPEG asks its decoder to do, counted before it is decoded."""

import re

from lora_demo.limits import MAX_EXIF_BLOCKS, MAX_JPEG_SCANS, MAX_PICTURE_READS

SCAN, END, EXIF = 0xDA, 0xD9, 0xE1
# Neither bytes of the picture (FF 00), nor fill bytes (FF FF), nor restarts within a scan.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
# Markers that no length follows, or after which one of Pillow's two readers goes on at once.
_ALONE = frozenset((0x01, 0xC8, 0xD8, END, 0xDE, *range(0xF0, 0xFE)))


def excess(data: bytes) -> str | None:
    """What a JPEG has too many of, None where it has not.

    What lies behind the end of the picture is not counted: phones put a video there. An end that
    comes before the first scan ends nothing for Pillow, which goes on to look for a picture.
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
