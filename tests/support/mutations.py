"""Valid files changed at random, in their bytes and in their structure. Pure: nothing is read."""

import io
import json
import pickletools
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress

EDGES = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
ODD_VALUES = (-1, 0, 1, 10**9, 2**63, 10**30, 1e308, None, True, "", "<img>", [], {}, [[]], "F64")
OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
FOURCC = re.compile(rb"[A-Za-z][A-Za-z0-9]{3}|VP8 ")
JPEG_MARKER = re.compile(rb"\xff[\x01-\xfe]")
MAX_BYTES = 2**20
Mutation = Callable[[bytes, random.Random], bytes]


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One to four changes, each of a kind that this sort of file has."""
    kinds = [*EVERYWHERE, *(kind for magic, kinds in BY_MAGIC if magic(data) for kind in kinds * 3)]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        with suppress(Exception):  # the changes before may have left none of that structure
            data = rng.choice(kinds)(data, rng)[:MAX_BYTES]
    if rng.random() < 0.03:
        other = rng.choice(others)
        data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[_front(len(data), rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_number(data: bytes, rng: random.Random) -> bytes:
    size, at = rng.choice((1, 2, 4, 8)), _front(len(data), rng)
    number = (rng.choice(EDGES) % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))
    return data[:at] + number + data[at + size :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _front(len(data), rng)]


def _remove(data: bytes, rng: random.Random) -> bytes:
    at = _front(len(data), rng)
    return data[:at] + data[at + rng.randrange(1, 64) :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    at = _front(len(data), rng)
    part = data[at : at + rng.randrange(1, 64)]
    return data[:at] + part * rng.choice((1, 2, 100, 10_000)) + data[at:]


def _front(length: int, rng: random.Random) -> int:
    """A place, every other time among the first 64 bytes, where headers are."""
    return rng.randrange(min(length, 64) if rng.random() < 0.5 else length)


def _parts(parts: list[bytes], change: Mutation, rng: random.Random) -> list[bytes]:
    """One part is dropped, doubled, moved or changed."""
    at = rng.randrange(len(parts))
    part = parts.pop(at)
    what = rng.randrange(8)
    if what == 0:
        return parts
    if what == 1:
        times = min(rng.choice((2, 60, 3000)), MAX_BYTES // (len(part) + 1))
        return parts[:at] + [part] * times + parts[at:]
    if what == 2:
        return [*parts[: (to := rng.randrange(len(parts) + 1))], part, *parts[to:]]
    return [*parts[:at], change(part, rng), *parts[at:]]


def _png_chunks(data: bytes, rng: random.Random) -> bytes:
    """The checksums are right again, so that the chunk is looked into."""
    chunks, at = [], 8
    while at < len(data):
        end = at + 12 + struct.unpack_from(">L", data, at)[0]
        chunks.append(data[at + 4 : end - 4])
        at = end
    chunks = _parts(chunks, _pixels if rng.random() < 0.3 else _any, rng)
    packed = (struct.pack(">L", len(c) - 4) + c + struct.pack(">L", zlib.crc32(c)) for c in chunks)
    return data[:8] + b"".join(packed)


def _pixels(chunk: bytes, rng: random.Random) -> bytes:
    return chunk[:4] + zlib.compress(_any(zlib.decompress(chunk[4:]), rng))


def _jpeg_segments(data: bytes, rng: random.Random) -> bytes:
    starts = [match.start() for match in JPEG_MARKER.finditer(data)]
    ends = [*starts[1:], len(data)]
    segments = [data[a:b] for a, b in zip(starts, ends, strict=True)]
    return b"".join(_parts(segments, _any, rng))


def _boxes(data: bytes, rng: random.Random) -> bytes:
    """The size before (AVIF) or after (WebP) a name of four letters becomes another."""
    name = rng.choice([match.start() for match in FOURCC.finditer(data[:600])])
    at = max(name + rng.choice((-4, 4, 8)), 0)
    order = rng.choice(("little", "big"))
    return data[:at] + (rng.choice(EDGES) % 2**32).to_bytes(4, order) + data[at + 4 :]


def _safetensors_header(data: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    spec = json.loads(header["__metadata__"]["lora_demo.spec"])
    inside = rng.choice([spec, spec, header, header["A"], header["B"], header["__metadata__"]])
    key = rng.choice([*inside, *inside, "more"])
    value = inside.get(key)
    if isinstance(value, list) and value and rng.random() < 0.7:
        value[rng.randrange(len(value))] = rng.choice((*EDGES, *ODD_VALUES))
    elif rng.random() < 0.2:
        inside.pop(key)
    else:
        inside[key] = rng.choice((*EDGES, *ODD_VALUES))
    if isinstance(header.get("__metadata__"), dict) and "lora_demo.spec" in header["__metadata__"]:
        header["__metadata__"]["lora_demo.spec"] = json.dumps(spec)
    packed = json.dumps(header).encode()
    return len(packed).to_bytes(8, "little") + packed + data[8 + length :]


def _zip_entries(data: bytes, rng: random.Random) -> bytes:
    """Names, contents and compression; the pickle by its opcodes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(entries))
    name, content = entries.pop(at)
    what = rng.randrange(10)
    if what == 0:
        name = rng.choice((name.upper(), "../" + name, "/" + name, "", "x" * 300, "other/data.pkl"))
    elif name.endswith("data.pkl") or what < 4:
        name, content = next((e for e in entries if e[0].endswith("data.pkl")), (name, content))
        content = _opcodes(content, rng)
        entries = [entry for entry in entries if entry[0] != name]
    else:
        content = _any(content, rng)
    if what != 1:
        entries.insert(at, (name, content))
    packed = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED,) * 5 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(packed, "w", method) as archive:
        for entry_name, entry in entries:
            archive.writestr(entry_name, entry)
    return packed.getvalue()


def _opcodes(pickled: bytes, rng: random.Random) -> bytes:
    starts = [at for _, _, at in pickletools.genops(pickled)]
    ends = [*starts[1:], len(pickled)]
    opcodes = [pickled[a:b] for a, b in zip(starts, ends, strict=True)]
    return b"".join(_parts(opcodes, _opcode, rng))


def _opcode(opcode: bytes, rng: random.Random) -> bytes:
    code, argument = opcode[:1], opcode[1:]
    if code in b"KMJ" and rng.random() < 0.8:  # a number of 1, 2 or 4 bytes
        return b"J" + (rng.choice(EDGES) % 2**32).to_bytes(4, "little")
    if rng.random() < 0.5:
        return rng.choice(OPCODES) + argument
    return opcode + rng.choice(OPCODES) + rng.choice((b"", b"\0", b"\1", b"\xff" * 4))


def _zip_directory(data: bytes, rng: random.Random) -> bytes:
    """A field of a local header, of the directory, or of its end."""
    places = [m.start() for m in re.finditer(rb"PK(\1\2|\3\4|\5\6|\6\6|\6\7)", data)]
    at = rng.choice(places) + rng.randrange(4, 46)
    size = rng.choice((2, 4))
    number = (rng.choice(EDGES) % 2 ** (8 * size)).to_bytes(size, "little")
    return data[:at] + number + data[at + size :]


def _any(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(EVERYWHERE)(data, rng)


EVERYWHERE: tuple[Mutation, ...] = (_flip, _flip, _set_number, _set_number, _cut, _remove, _repeat)
BY_MAGIC = (
    (lambda data: data[:4] == b"\x89PNG", (_png_chunks,)),
    (lambda data: data[:2] == b"\xff\xd8", (_jpeg_segments,)),
    (lambda data: data[:4] == b"RIFF" or data[4:8] == b"ftyp", (_boxes,)),
    (lambda data: data[8:9] == b"{", (_safetensors_header,)),
    (lambda data: data[:2] == b"PK", (_zip_entries, _zip_entries, _zip_directory)),
)
