"""Changes of bytes: blind ones, and of numbers where a format has lengths, counts and offsets."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator

Mutator = Callable[[random.Random, bytes], tuple[bytes, str]]
#: Where a number stands: its first byte, its length in bytes, the order of these.
Field = tuple[int, int, str]

GIB = 2**30


def flip(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    changed, n = bytearray(data), draw.choice((1, 1, 2, 8, 64))
    places = [draw.randrange(len(data)) for _ in range(n)]
    for place in places:
        changed[place] ^= 1 << draw.randrange(8)
    return bytes(changed), f"bits flipped in bytes {sorted(places)[:8]}"


def cut(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    end = draw.randrange(len(data))
    return data[:end], f"cut to {end} of {len(data)} bytes"


def insert(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    place, n = draw.randrange(len(data) + 1), draw.choice((1, 4, 100, 5000))
    return data[:place] + draw.randbytes(n) + data[place:], f"{n} random bytes at {place}"


def repeat(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = draw.randrange(len(data))
    stop, n = min(start + draw.choice((1, 16, 300, 4000)), len(data)), draw.choice((2, 10, 500))
    return data[:start] + data[start:stop] * n + data[stop:], f"bytes {start} to {stop} {n} times"


def blank(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = draw.randrange(len(data))
    stop, byte = min(start + draw.choice((1, 4, 64, 1000)), len(data)), draw.choice((b"\0", b"\xff"))
    return data[:start] + byte * (stop - start) + data[stop:], f"bytes {start} to {stop} are {byte!r}"


def remove(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = draw.randrange(len(data))
    stop = min(start + draw.choice((1, 4, 64, 1000)), len(data))
    return data[:start] + data[stop:], f"bytes {start} to {stop} removed"


BLIND: list[Mutator] = [flip, cut, insert, repeat, blank, remove]


def edited(
    fields: Callable[[bytes], list[Field]], repair: Callable[[bytes], bytes] = bytes, *, name: str = "field"
) -> Mutator:
    """Make a mutator that sets numbers of a format to others."""

    def mutate(draw: random.Random, data: bytes) -> tuple[bytes, str]:
        found = fields(data)
        if not found:
            return flip(draw, data)
        changed, said = bytearray(data), []
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            place, size, order = draw.choice(found)
            order = draw.choice((order,) * 9 + (("little", "big")[order == "little"],))
            old, most = int.from_bytes(data[place : place + size], order), 256**size - 1  # type: ignore[arg-type]
            values = (0, 1, most, most // 2, most // 2 + 1, old + 1, old - 1, 2 * old, old + 256, draw.randint(0, most))
            new = draw.choice(values) & most
            changed[place : place + size] = new.to_bytes(size, order)  # type: ignore[arg-type]
            said.append(f"{name} at {place} ({size} bytes, {order}): {old} -> {new}")
        return repair(bytes(changed)), "; ".join(said)

    return mutate


def png_chunks(data: bytes) -> Iterator[tuple[int, int]]:
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        yield place, length
        place += 12 + length


def png_fields(data: bytes) -> list[Field]:
    found: list[Field] = [(16, 4, "big"), (20, 4, "big"), *[(place, 1, "big") for place in range(24, 29)]]
    return found * 2 + [(place, 4, "big") for place, _ in png_chunks(data)]


def png_repair(data: bytes) -> bytes:
    fixed = bytearray(data)
    for place, length in png_chunks(data):
        if place + 12 + length <= len(data):
            crc = zlib.crc32(data[place + 4 : place + 8 + length])
            fixed[place + 8 + length : place + 12 + length] = crc.to_bytes(4, "big")
    return bytes(fixed)


def jpeg_fields(data: bytes) -> list[Field]:
    found: list[Field] = []
    for match in re.finditer(b"\xff[\xc0-\xc2\xc4\xdb\xda\xdd\xe0-\xef]", data[:2000]):
        found.append((match.start() + 2, 2, "big"))
        if data[match.start() + 1] in (0xC0, 0xC2):
            found += [(match.start() + 5, 2, "big"), (match.start() + 7, 2, "big"), (match.start() + 9, 1, "big")]
    return found


def tiff_fields(data: bytes) -> list[Field]:
    order = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    found: list[Field] = [(4, 4, order), (start, 2, order)]
    for place in range(start + 2, len(data) - 12, 12):
        found += [(place, 2, order), (place + 2, 2, order), (place + 4, 4, order), (place + 8, 4, order)]
    return found


def picture_fields(data: bytes) -> list[Field]:
    if data[:4] == b"\x89PNG":
        return png_fields(data)
    if data[:2] == b"\xff\xd8":
        return jpeg_fields(data)
    if data[:2] in (b"II", b"MM"):
        return tiff_fields(data)
    if data[:2] == b"BM":
        return [(place, 4, "little") for place in (2, 10, 14, 18, 22, 28, 30, 34, 46)]
    return [(4, 4, "little"), (16, 4, "little"), *[(place, 1, "little") for place in range(20, 32)]]


def picture_repair(data: bytes) -> bytes:
    return png_repair(data) if data[:4] == b"\x89PNG" else data


def riff_fields(data: bytes) -> list[Field]:
    found: list[Field] = [(4, 4, "little")]
    place = 12
    while place + 8 <= len(data):
        found.append((place + 4, 4, "little"))
        if data[place : place + 4] == b"fmt ":
            found += [(place + 8, 2, "little"), (place + 10, 2, "little"), (place + 12, 4, "little")]
            found += [(place + 16, 4, "little"), (place + 20, 2, "little"), (place + 22, 2, "little")]
        place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
    return found


def flac_fields(data: bytes) -> list[Field]:
    found: list[Field] = [(5, 3, "big"), (8, 2, "big"), (10, 2, "big"), (18, 4, "big"), (21, 5, "big"), (4, 1, "big")]
    place = 4
    while place + 4 <= len(data):
        found.append((place + 1, 3, "big"))
        if data[place] & 0x80:
            frame = place + 4 + int.from_bytes(data[place + 1 : place + 4], "big")
            return found + [(frame + i, 1, "big") for i in range(2, 6)]
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    return found


def ogg_fields(data: bytes) -> list[Field]:
    found: list[Field] = []
    for page in re.finditer(b"OggS", data):
        at = page.start()
        found += [(at + 5, 1, "little"), (at + 6, 8, "little"), (at + 14, 4, "little"), (at + 18, 4, "little")]
        found += [(at + 26, 1, "little"), (at + 27, 1, "little")]
    return [*found, (39, 1, "little"), (40, 4, "little")]


def ogg_repair(data: bytes) -> bytes:
    fixed = bytearray(data)
    starts = [page.start() for page in re.finditer(b"OggS", data)]
    for start, stop in zip(starts, [*starts[1:], len(data)], strict=True):
        if stop - start < 27:
            continue
        fixed[start + 22 : start + 26] = bytes(4)
        crc = 0
        for byte in fixed[start:stop]:
            crc ^= byte << 24
            for _ in range(8):
                crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
        fixed[start + 22 : start + 26] = crc.to_bytes(4, "little")
    return bytes(fixed)


def mp3_fields(data: bytes) -> list[Field]:
    frames = [match.start() for match in re.finditer(b"\xff[\xe2-\xff]", data)]
    found: list[Field] = [(place + 1, 1, "big") for place in frames] + [(place + 2, 1, "big") for place in frames]
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    return found + ([(tag + place, 4, "big") for place in (4, 8, 12)] * 4 if tag > 0 else [])


_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"meta")


def box_fields(data: bytes) -> list[Field]:
    """Sizes of the boxes of an MP4 file, and the words of those that are tables; of Matroska lengths of elements."""
    if data[:4] == b"\x1a\x45\xdf\xa3":
        marks = (
            b"\x18\x53\x80\x67|\x16\x54\xae\x6b|\x1f\x43\xb6\x75|\xae|\xe0|\xe1|\xb0|\xba|\xb5|\x2a\xd7\xb1|\x44\x89"
        )
        either = b"|".join(map(re.escape, marks.split(b"|")))
        return [(match.end(), 1, "big") for match in re.finditer(either, data[:3000])]

    def walk(start: int, stop: int) -> Iterator[Field]:
        while start + 8 <= stop:
            size, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
            yield start, 4, "big"
            if kind in _CONTAINERS:
                yield from walk(start + 8, start + size)
            elif kind != b"mdat":
                for place in range(start + 8, min(start + size, start + 120) - 3, 4):
                    yield place, 4, "big"
            if size < 8:
                return
            start += size

    return list(walk(0, len(data)))


def midi_fields(data: bytes) -> list[Field]:
    found: list[Field] = [(4, 4, "big"), (8, 2, "big"), (10, 2, "big"), (12, 2, "big")] * 2
    for track in re.finditer(b"MTrk", data):
        found += [(track.start() + 4, 4, "big")] * 3
        # Deltas, statuses and what follows them are all of one byte.
        found += [(track.start() + 8 + place, 1, "big") for place in range(0, 120)]
    return [field for field in found if field[0] + field[1] <= len(data)]


def zip_fields(data: bytes) -> list[Field]:
    found: list[Field] = []
    for mark, places in (
        (b"PK\3\4", ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
        (b"PK\1\2", ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (38, 4), (42, 4))),
        (b"PK\5\6", ((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
    ):
        for match in re.finditer(re.escape(mark), data):
            found += [(match.start() + place, size, "little") for place, size in places]
    return found


def word_fields(data: bytes) -> list[Field]:
    """Words of eight bytes, and of four, that may be a length or a place within the file: for HDF5 and its like."""
    found: list[Field] = []
    for place in range(0, min(len(data), 20_000) - 8, 4):
        if place % 8 == 0 and 0 < int.from_bytes(data[place : place + 8], "little") <= len(data):
            found.append((place, 8, "little"))
        elif 0 < int.from_bytes(data[place : place + 4], "little") <= len(data):
            found.append((place, 4, "little"))
    return found


def varint_fields(data: bytes) -> list[Field]:
    """Tags and lengths of a protobuf message and of those within it, as far as they are of one byte."""
    found: list[Field] = []

    def walk(start: int, stop: int, depth: int) -> None:
        while start < stop and depth < 8 and len(found) < 500:
            tag = data[start]
            found.append((start, 1, "little"))
            if tag & 7 == 2:
                found.append((start + 1, 1, "little"))
                length, place, shift = 0, start + 1, 0
                while place < stop:
                    length |= (data[place] & 127) << shift
                    shift, place = shift + 7, place + 1
                    if data[place - 1] < 128:
                        break
                walk(place, min(place + length, stop), depth + 1)
                start = place + length
            elif tag & 7 == 0:
                start += 2
            else:
                start += 1

    walk(0, len(data), 0)
    return found


def footer_fields(data: bytes) -> list[Field]:
    """Length of a Parquet file's footer, and the footer's bytes (numbers of one or more bytes, types, names)."""
    length = int.from_bytes(data[-8:-4], "little")
    start = max(len(data) - 8 - length, 4)
    return [
        (len(data) - 8, 4, "little"),
        *[(place, 1, "little") for place in range(start, min(start + 500, len(data)))],
    ]
