"""HEIC files that ask for endless work or memory, put together from one small picture."""

import struct
from itertools import pairwise
from pathlib import Path

PLAIN = Path(__file__).parents[1] / "corpus" / "heic" / "plain.heic"  # 64 x 32 pixels


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">L4s", len(inside) + 8, kind) + inside


def full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *content)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">LL", width, height))


def heic(
    items: dict[int, tuple[bytes, bytes, list[int]]],
    properties: list[bytes],
    references: list[tuple[bytes, int, list[int]]] = (),
    primary: int = 1,
    before: bytes = b"",
) -> bytes:
    """Items by number: kind, data (one copy of equal data), and properties by place from 1."""
    mdat = b"".join(dict.fromkeys(data for _, data, _ in items.values()))

    def meta(first: int) -> bytes:
        places = b"".join(
            struct.pack(">HHHLL", n, 0, 1, first + mdat.index(data), len(data))
            for n, (_, data, _) in items.items()
        )
        infos = [
            full(b"infe", struct.pack(">HH", n, 0), k, b"\0", version=2)
            for n, (k, *_) in items.items()
        ]
        links = [struct.pack(">HB", n, len(p)) + bytes(p) for n, (_, _, p) in items.items()]
        refs = [
            box(kind, struct.pack(f">HH{len(to)}H", n, len(to), *to)) for kind, n, to in references
        ]
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", primary)),
            full(b"iloc", b"\x44\0", struct.pack(">H", len(items)), places),
            full(b"iinf", struct.pack(">H", len(items)), *infos),
            box(
                b"iprp",
                box(b"ipco", *properties),
                full(b"ipma", struct.pack(">L", len(items)), *links),
            ),
            *([full(b"iref", *refs)] if refs else []),
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic") + before
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", mdat)


def tile() -> tuple[bytes, bytes]:
    """The coded picture, 64 x 64, and the property that says how."""
    data = PLAIN.read_bytes()
    at = data.index(b"hvcC") - 4
    (size,) = struct.unpack_from(">L", data, at)
    return data[data.index(b"mdat") + 4 :], data[at : at + size]


def grid(rows: int, columns: int, width: int, height: int, tiles: list[int]) -> bytes:
    """Made of coded tiles, all the same; what stands over the edge is not seen."""
    data, hvcc = tile()
    shape = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    items = {1: (b"grid", shape, [2]), **{n: (b"hvc1", data, [1, 3]) for n in tiles}}
    properties = [hvcc, ispe(width, height), ispe(64, 64)]
    return heic(items, properties, [(b"dimg", 1, tiles)])


def good_grid() -> bytes:
    """As phones make it: 100 x 120 of four tiles."""
    return grid(2, 2, 100, 120, [2, 3, 4, 5])


def nested(depth: int = 6, width: int = 30) -> bytes:
    """Overlays of overlays: each of a floor is made of all of the floor below, down to tiles."""
    data, hvcc = tile()
    overlay = struct.pack(">BB4HHH", 0, 0, 0, 0, 0, 0, 64, 64) + bytes(4) * width
    floors = [[1], *(list(range(2 + width * n, 2 + width * (n + 1))) for n in range(depth))]
    items = {n: (b"iovl", overlay, [2]) for floor in floors[:-1] for n in floor}
    items |= {n: (b"hvc1", data, [1, 2]) for n in floors[-1]}
    references = [(b"dimg", n, below) for floor, below in pairwise(floors) for n in floor]
    return heic(items, [hvcc, ispe(64, 64)], references)


def many_tiles(side: int = 31, px: int = 8192) -> bytes:
    """A picture of 64 x 64, which is a corner of nearly a thousand large tiles."""
    data, hvcc = tile()
    shape = struct.pack(">BBBBHH", 0, 0, side - 1, side - 1, 64, 64)
    tiles = list(range(2, side**2 + 2))
    items = {1: (b"grid", shape, [2]), **{n: (b"hvc1", data, [1, 3]) for n in tiles}}
    return heic(items, [hvcc, ispe(64, 64), ispe(px, px)], [(b"dimg", 1, tiles)])


def many_profiles(count: int = 900, mb: int = 14) -> bytes:
    """Pictures that share one colour profile, of which each gets a copy."""
    data, hvcc = tile()
    profile = box(b"colr", b"prof", bytes(mb * 2**20))
    items = {n: (b"hvc1", data, [1, 2, 3]) for n in range(1, count + 1)}
    return heic(items, [hvcc, ispe(64, 64), profile])


def many_notes(count: int = 900, mb: int = 14) -> bytes:
    """Pictures that share one note, of which each gets a copy; it is read without the note."""
    data, hvcc = tile()
    items = {n: (b"hvc1", data, [1, 2]) for n in range(1, count + 1)}
    items[count + 1] = (b"Exif", bytes(mb * 2**20), [])
    return heic(items, [hvcc, ispe(64, 64)], [(b"cdsc", count + 1, list(range(1, count + 1)))])


def one(said: bytes) -> bytes:
    """It says whatever of its size."""
    data, hvcc = tile()
    return heic({1: (b"hvc1", data, [1, 2])}, [hvcc, said or box(b"free")])


def circle() -> bytes:
    overlay = struct.pack(">BB4HHH", 0, 0, 0, 0, 0, 0, 64, 64) + bytes(4)
    items = {n: (b"iovl", overlay, [1]) for n in (1, 2)}
    return heic(items, [ispe(64, 64)], [(b"dimg", 1, [2]), (b"dimg", 2, [1])])


def two_heads() -> bytes:
    """The first is harmless."""
    return heic({1: (b"hvc1", b"", [])}, [], before=nested())
