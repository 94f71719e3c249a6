"""Damage and harm for `fuzz.py`: changes of bytes that know nothing of a format, and such that do.

A mutator takes a `random.Random` and the bytes of a good file, and returns others and what it did. Those of `BLIND`
fit all formats; `AWARE` has a list for each: fields edited where the format has lengths, counts and offsets (checksums
made right again), texts edited at their numbers and names, and files made anew with odd types, depths and sizes.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import pickletools
import random
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import _inputs as inputs
import numpy as np

Mutator = Callable[[random.Random, bytes], tuple[bytes, str]]
#: Where a number stands: its first byte, its length in bytes, the order of these.
Field = tuple[int, int, str]

GIB = 2**30


# ---- Blind ----


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


# ---- Fields ----


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


# ---- Texts ----

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_ODD = (
    b"0",
    b"-1",
    b"1",
    b"1e999",
    b"-1e999",
    b"nan",
    b"inf",
    b"9" * 5000,
    b"4294967296",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1e308",
    b"0.0000001",
    b"",
    b"0x7fffffff",
    b"1_0",
    b"true",
    b"null",
    "٣".encode(),
    b"1000000000",
    b"-2147483649",
    b"1e-400",
    b"010",
    b"1:30",
)
_WORDS = (
    b"",
    b"x" * 200_000,
    b"\0",
    b"\xff\xfe",
    "\u202e\u200b".encode(),
    b"\x1b[2J",
    b"../../etc/passwd",
    b"\r",
    b'"',
    b"=1+1",
    "𝄞".encode() * 300,
    b"$(touch x)",
    b"%s%n",
    b"a\nb",
)


def text_numbers(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    found = list(_NUMBER.finditer(data))
    if not found:
        return text_words(draw, data)
    said = []
    for match in sorted(draw.sample(found, min(len(found), draw.choice((1, 1, 2, 5)))), key=lambda m: -m.start()):
        new = draw.choice(_ODD)
        said.append(f"{match[0].decode()} at {match.start()} -> {new[:20]!r} ({len(new)} bytes)")
        data = data[: match.start()] + new + data[match.end() :]
    return data, "; ".join(said)


def text_words(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    found = list(re.finditer(rb"[A-Za-z_]{2,}", data)) or [re.match(b"", data)]
    match, new = draw.choice(found), draw.choice(_WORDS)
    assert match is not None
    said = f"{match[0].decode()} at {match.start()} -> {new[:20]!r} ({len(new)} bytes)"
    return data[: match.start()] + new + data[match.end() :], said


def text_lines(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    lines = data.splitlines(keepends=True)
    place, kind = draw.randrange(len(lines)), draw.choice(("twice", "gone", "swapped", "20,000 times", "joined"))
    if kind == "swapped":
        other = draw.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    else:
        new = {"twice": lines[place] * 2, "gone": b"", "20,000 times": lines[place] * 20_000}
        lines[place] = new.get(kind, lines[place].rstrip())
    return b"".join(lines), f"line {place} {kind}"


def text_coding(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    name = draw.choice(("utf-16", "utf-32", "utf-8-sig", "cp037", "utf-7"))
    return data.decode("utf-8", "replace").encode(name, "replace"), f"in {name}"


TEXT: list[Mutator] = [text_numbers, text_numbers, text_words, text_lines, text_coding]


def json_values(draw: random.Random, content: Any) -> tuple[Any, str]:
    """Change one value of JSON, wherever it stands."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            walk(value[key])

    walk(content)
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    odd = (None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1e308, -0.5, "", "x" * 10_000, "\0", [], {}, [[]], {"a": {}})
    if not places:
        return draw.choice(odd), "something else"
    holder, key = draw.choice(places)
    what = draw.choice(("value", "value", "value", "deep", "gone", "more"))
    if what == "gone":
        del holder[key]
    elif what == "deep":
        holder[key] = deep
    elif what == "more" and isinstance(holder, dict):
        holder[draw.choice(("", "../x", "é\0", "__class__", "x" * 300))] = holder[key]
    else:
        holder[key] = draw.choice(odd)
    return content, f"{what} of {str(key)[:40]!r}: {str(holder.get(key) if isinstance(holder, dict) else '')[:40]}"


def json_document(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    content, said = json_values(draw, json.loads(data))
    return json.dumps(content).encode(), said


def json_deep(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    n, (opening, closing) = draw.choice((900, 100_000)), draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return b'{"files": ' + opening * n + b"1" + closing * n + b"}", f"{n} levels of {opening!r}"


def yaml_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made = {
        "deep flow": b"a: " + b"[" * 20_000 + b"]" * 20_000,
        "deep blocks": b"".join(b" " * i + b"a:\n" for i in range(1500)),
        "aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
        "aliases for a key": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
        + b"? *j\n: 1\n",
        "merged aliases": b"a: &a {x: 1}\n"
        + b"".join(b"%c: &%c {<<: [%s]}\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
        "a cycle": b"compute: &a [*a]\nmtm: *a\nmodels: &b {cca: *b}\n",
        "merges": b"a: &a {x: 1}\n" + b"b: {<<: [" + b",".join([b"*a"] * 50_000) + b"]}\n",
        "a long number": b"seed: " + b"1" * 5000,
        "a long octal": b"seed: 0" + b"7" * 50_000,
        "python": b"a: !!python/object/apply:os.system ['touch x']",
        "tags": b"a: !!binary '=' \nb: !!timestamp 9999-99-99\nc: !!set {a}\nd: !!omap [1]",
        "a date": b"a: 2001-02-30\n",
        "odd keys": b"? [a, b]\n: 1\n? {c: d}\n: 2\n",
        "odd sections": b"1: 2\n.nan: 3\n~: 4\ntrue: 5\n",
        "many documents": b"---\na: 1\n" * 1000,
        "anchors without end": b"a: " + b"&a " * 10_000,
        "a big file": b"".join(b"k%d: {a: [1, 2, 3]}\n" % i for i in range(50_000)),
        "quotes": b'a: "' + b"\\x41" * 200_000 + b'"',
    }
    name = draw.choice(sorted(made))
    return made[name] if draw.random() < 0.5 else data + b"\n" + made[name], name


def yaml_sections(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    import yaml

    content, said = json_values(draw, yaml.safe_load(data))
    return yaml.safe_dump(content, allow_unicode=True).encode(), said


def argument_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made, said = yaml_made(draw, b"")
    return b"hidden=" + made, said


def csv_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    first = data.splitlines()[0]
    width = first.count(b",") + 1
    made = {
        "a field of 200,000": first + b"\n" + b",".join([b"9" * 200_000] * width) + b"\n",
        "an open quote": first + b'\n"' + b"a,b\n" * 50_000,
        "NUL": first + b"\n" + b",".join([b"a\0b"] * width),
        "100,000 columns": first + b"," + b"x," * 100_000 + b"\n" + b"a," * 100_000,
        "short rows": first + b"\n" + b"14\n" * 1000,
        "long rows": first + b"\n" + b"14" + b",a" * 50_000,
        "only a header": first,
        "quotes": first + b"\n" + b",".join([b'"a""b\r\n"'] * width),
        "carriage returns": first.replace(b",", b"\r,"),
        "other digits": first + b"\n" + ",".join(["²"] * width).encode(),
        "a long number": first + b"\n" + b",".join([b"1" * 5000] * width),
        "200,000 rows": first + b"\n" + b"".join(b",".join([b"%d" % i] * width) + b"\n" for i in range(200_000)),
    }
    name = draw.choice(sorted(made))
    return made[name], name


def lyrics_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made = {
        "hyphens": b"-" * 300_000,
        "one word": b"a" * 3_000_000,
        "syllables": b"la-" * 500_000,
        "letters of many marks": ("a" + "\u0301" * 100_000).encode(),
        "ligatures": "\ufdfa".encode() * 100_000,
        "other blanks": "\u2003\u00a0\u3000".encode() * 10_000 + b"a",
        "surrogates": b"\xed\xa0\x80",
        "controls": bytes(range(1, 32)) * 100,
        "Scheme": b'#(system "touch x") \\include "/etc/passwd"',
        "dashes": "—".encode() * 200_000 + b"a",
    }
    name = draw.choice(sorted(made))
    return made[name], name


_NOTE = (
    "<note><pitch><step>C</step><octave>4</octave></pitch><duration>{}</duration>"
    "<lyric{}><text>{}</text></lyric></note>"
)


def _score(body: str) -> bytes:
    head = "<score-partwise><part id='P1'><measure number='1'>"
    return f"{head}{body}</measure></part></score-partwise>".encode()


def score_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    notes = _NOTE.format(1, "", "la") * 24
    entities = b"<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>"
    made: dict[str, Callable[[], bytes]] = {
        "entities": lambda: entities + _score(notes),
        "an external entity": lambda: b"<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + _score("&a;"),
        "an external DTD": lambda: b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'>" + _score(notes),
        "200,000 levels": lambda: b"<a>" * 200_000 + b"</a>" * 200_000,
        "deep in a note": lambda: _score("<note><pitch>" + "<a>" * 50_000 + "</a>" * 50_000 + "</pitch></note>"),
        "many elements": lambda: _score("<a b=''/>" * draw.choice((200_000, 6_000_000))),
        "many attributes": lambda: _score("<a " + " ".join(f"a{i}=''" for i in range(200_000)) + "/>"),
        "a long name": lambda: _score("<" + "a" * 1_000_000 + "/>"),
        "100,000 notes": lambda: _score(_NOTE.format(1, "", "la") * 100_000),
        "a note of 20,000 lyrics": lambda: _score(
            notes
            + "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration>"
            + "".join(f"<lyric number='{i}'><text>a</text></lyric>" for i in range(20_000))
            + "</note>"
        ),
        "2,000 verses of notes": lambda: _score(
            "".join(_NOTE.format(1, f" number='{i}'", "a") for i in range(2000)) + notes
        ),
        "sections": lambda: _score(
            "".join(_NOTE.format(1, f" number='{i % 40}'", "a") + "<barline><repeat/></barline>" for i in range(6000))
        ),
        "chords": lambda: _score(notes + ("<note><chord/>" + _NOTE.format(1, "", "a")[6:]) * 50_000),
        "graces": lambda: _score(("<note><grace/>" + _NOTE.format(1, "", "a")[6:]) * 50_000 + notes),
        "melismas": lambda: _score(
            notes + "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>" * 50_000
        ),
        "odd divisions": lambda: _score(
            f"<attributes><divisions>{draw.choice(('0', '-1', '1e-7', '1e400', '1/0', '9' * 5000))}</divisions>"
            f"</attributes>{notes}"
        ),
        "odd lengths": lambda: _score("".join(_NOTE.format(f"0.{i:07d}", "", "a") for i in range(1, 3000))),
        "transposed": lambda: _score(
            f"<attributes><transpose><chromatic>1e6</chromatic></transpose></attributes>{notes}"
        ),
        "backups": lambda: _score(notes + "<backup><duration>999999</duration></backup>" * 1000 + notes),
        "microtones": lambda: _score(notes.replace("<octave>", "<alter>nan</alter><octave>")),
        "a big octave": lambda: _score(notes.replace("<octave>4", f"<octave>{'4' * 4500}")),
        "a coding": lambda: (
            b"<?xml version='1.0' encoding='%s'?>"
            % draw.choice(
                (
                    b"rot13",
                    b"zlib",
                    b"hex",
                    b"idna",
                    b"punycode",
                    b"utf-7",
                    b"unicode_escape",
                    b"base64",
                    b"undefined",
                    b"mbcs",
                    b"raw_unicode_escape",
                    b"utf-32",
                    b"cp037",
                    b"hz",
                    b"big5",
                )
            )
            + _score(notes)
        ),
        "timewise": lambda: b"<score-timewise>" + b"<measure><part id='a'/></measure>" * 100_000 + b"</score-timewise>",
        "words of marks": lambda: _score(_NOTE.format(1, "", "&#x301;" * 20_000) * 24),
        "no parts": lambda: b"<score-partwise/>",
        "lyrics without end": lambda: _score(
            "".join(
                _NOTE.format(1, "", "a").replace("<text>", "<syllabic>middle</syllabic><text>") for _ in range(20_000)
            )
        ),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def mxl_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    container = b"<container><rootfiles><rootfile full-path='%s'/></rootfiles></container>"
    what = draw.choice(("a score", "a score", "a score", "container", "path", "bomb"))
    if what == "a score":
        content, said = score_made(draw, data)
        return inputs.zipped({"META-INF/container.xml": container % b"a.xml", "a.xml": content}), said
    inner, said = {
        "container": (b"<a>" * draw.choice((10, 100_000, 20_000_000)), "a container that goes on"),
        "path": (
            container % draw.choice((b"../../x", b"", b"META-INF/container.xml", b"/etc/passwd", b"a.xml/")),
            what,
        ),
        "bomb": (b" " * draw.choice((2**20, 2**26, 2**28)), what),
    }[what]
    name = "META-INF/container.xml" if what != "bomb" else "a.xml"
    return inputs.zipped({name: inner, "b.xml": inputs.score()}), said


def pdf_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    edits = {
        "a page of 10^7 points": (b"200 100]", b"10000000 10000000]"),
        "a thin page": (b"200 100]", b"14400 1]"),
        "a page without size": (b"/MediaBox [0 0 200 100]", b""),
        "a page upside down": (b"0 0 200 100", b"200 100 0 -100"),
        "NaN": (b"200 100]", b"nan 1e999]"),
        "a page that is its own parent": (b"/Kids [3 0 R]", b"/Kids [2 0 R]"),
        "a million pages": (b"/Count 1", b"/Count 1000000"),
        "many pages": (b"/Kids [3 0 R] /Count 1", b"/Kids [" + b"3 0 R " * 5000 + b"] /Count 5000"),
        "a user unit": (b"/Contents", b"/UserUnit 75000 /Contents"),
        "a turn": (b"/Contents", b"/Rotate 45 /Contents"),
        "a script": (b"/Pages 2 0 R", b"/Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
        "a launch": (b"/Pages 2 0 R", b"/Pages 2 0 R /OpenAction << /S /Launch /F (touch) >>"),
        "lines": (b"20 40 m", b"20 40 m 1 1 l S " * 50_000 + b"20 40 m"),
        "dashes": (b"2 w", b"2 w [0.0001 0.0001] 0 d"),
        "a huge line": (b"2 w", b"1e30 w"),
        "an endless form": (b"/Contents 4 0 R", b"/Resources << /XObject << /a 4 0 R >> >> /Contents 4 0 R"),
    }
    name = draw.choice(sorted(edits))
    return data.replace(*edits[name]), name


# ---- Archives ----


def zip_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    name = sorted(files)[0]
    stem = name.rpartition(".")
    made: dict[str, Callable[[], bytes]] = {
        "a bomb": lambda: inputs.zipped({**files, name: bytes(2**28 + 1)}),
        "a small bomb": lambda: inputs.zipped({**files, name: bytes(2**27)}),
        "a bomb of bzip2": lambda: inputs.zipped({name: bytes(2**26)}, zipfile.ZIP_BZIP2),
        "a bomb of LZMA": lambda: inputs.zipped({name: bytes(2**26)}, zipfile.ZIP_LZMA),
        "LZMA": lambda: inputs.zipped(files, zipfile.ZIP_LZMA),
        "two names": lambda: inputs.zipped({**files, name.upper(): b""}),
        "climbing": lambda: inputs.zipped({draw.choice(("../x", "/x", "a/../../x", "C:/x", "..\\x")): b"x", **files}),
        "many": lambda: inputs.zipped({f"{stem[0]}{i}.{stem[2]}": b"" for i in range(30_000)}, zipfile.ZIP_STORED),
        "deep": lambda: inputs.zipped({"a/" * 20_000 + name: files[name]}),
        "odd names": lambda: inputs.zipped({f"\udcff\x1b{name}".encode("utf-8", "replace").decode(): b"x", **files}),
        "a member in place of a folder": lambda: inputs.zipped({"folds": b"x", "vgg": b"", **files}),
        "within": lambda: inputs.zipped({name: data, f"x/{name}": data}),
        "changed members": lambda: inputs.zipped({k: flip(draw, v)[0] if v else v for k, v in files.items()}),
        "empty members": lambda: inputs.zipped(dict.fromkeys(files, b"")),
        "more members": lambda: inputs.zipped({f"{i}/{k}": v for i in range(300) for k, v in files.items()}),
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen


def tar_fields(data: bytes) -> list[tuple[int, int]]:
    found, place = [], 0
    while place + 512 <= len(data) and data[place]:
        found += [(place + 124, 12), (place + 156, 1), (place + 100, 8), (place, 20), (place + 157, 20)]
        size = int(data[place + 124 : place + 135].strip(b"\0 ") or b"0", 8)
        place += 512 + -(-size // 512) * 512
    return found


def tar_repair(data: bytes, place: int) -> bytes:
    start = place // 512 * 512
    head = data[start : start + 148] + b" " * 8 + data[start + 156 : start + 512]
    return data[: start + 148] + b"%06o\0 " % sum(head) + data[start + 156 :]


def tar_edited(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    found = tar_fields(data)
    if not found:
        return flip(draw, data)
    place, size = draw.choice(found)
    values = {
        12: (
            b"77777777777\0",
            b"\x80" + b"\0" * 3 + b"\x7f" * 8,
            b"\xff" * 12,
            b"0" * 11 + b"\0",
            b"-0000000001\0",
            b"x" * 12,
        ),
        1: [bytes([code]) for code in b"0123456789gxLKSXDVM\0"],
        8: (b"0007777\0", b"x" * 8, b"\xff" * 8),
        20: (b"../../../x" + bytes(10), b"/etc/x" + bytes(14), b"\xff" * 20, b"a" * 20, b"C:\\x" + bytes(16)),
    }
    new = draw.choice(values[size])
    return tar_repair(data[:place] + new + data[place + size :], place), f"{size} bytes at {place} -> {new!r}"


def tar_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    name = sorted(files)[0]

    def with_(info: tarfile.TarInfo, content: bytes = b"", kind: int = tarfile.GNU_FORMAT) -> bytes:
        info.size = len(content)
        with io.BytesIO() as file:
            with tarfile.open(fileobj=file, mode="w", format=kind) as made:
                made.addfile(info, io.BytesIO(content))
            return file.getvalue()[: -20 * 512] + data

    def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **headers: str) -> tarfile.TarInfo:
        made = tarfile.TarInfo(name)
        made.type, made.linkname, made.pax_headers = kind, target, headers
        return made

    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x", "GNU.sparse.realsize": "9" * 12}
    made: dict[str, Callable[[], bytes]] = {
        "zeros": lambda: with_(info(name), bytes(2**27)),
        "a link": lambda: with_(
            info("x.npy", tarfile.SYMTYPE, draw.choice(("../x", "/etc/passwd", name, ".", "x.npy")))
        ),
        "a hard link": lambda: with_(info("x.npy", tarfile.LNKTYPE, draw.choice(("../x", name)))),
        "a device": lambda: with_(info("x.npy", draw.choice((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)))),
        "a long name": lambda: with_(info("a" * 900_000 + ".npy"), b"x"),
        "a longer name": lambda: with_(info("a" * 5_000_000 + ".npy"), b"x"),
        "pax": lambda: with_(info(name, **{"path": "é" * 1000, "size": "9" * 20}), b"x", tarfile.PAX_FORMAT),
        "pax numbers": lambda: with_(info(name, **{"mtime": "nan", "uid": "x"}), b"x", tarfile.PAX_FORMAT),
        "sparse": lambda: with_(info(name, **sparse), b"1\n0\n99999999999\n", tarfile.PAX_FORMAT),
        "many": lambda: inputs.tarred({f"{i}/{name}": b"" for i in range(20_000)}),
        "twice": lambda: inputs.tarred(files)[: -20 * 512] + data,
        "climbing": lambda: with_(info(draw.choice(("../x.npy", "/x.npy", "a/../../x.npy"))), b"x"),
        "changed members": lambda: inputs.tarred({k: flip(draw, v)[0] if v else v for k, v in files.items()}),
        "empty members": lambda: inputs.tarred(dict.fromkeys(files, b"")),
        "no end": lambda: data.rstrip(b"\0"),
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen


def inside_gzip(*mutators: Mutator) -> Mutator:
    def mutate(draw: random.Random, data: bytes) -> tuple[bytes, str]:
        inner, said = draw.choice(mutators)(draw, gzip.decompress(data))
        return gzip.compress(inner, 9, mtime=0), f"inside gzip: {said}"

    return mutate


def gzip_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made: dict[str, Callable[[], bytes]] = {
        "2 GB of zeros": lambda: b"".join([gzip.compress(bytes(2**26), 9)] * 32),
        "zeros after it": lambda: data + gzip.compress(bytes(2**28), 9),
        "several": lambda: data * 20,
        "another after it": lambda: data + data[: len(data) // 2],
        "a wrong checksum": lambda: data[:-8] + bytes(8),
        "a wrong length": lambda: data[:-4] + b"\xff" * 4,
        "a name without end": lambda: data[:3] + b"\x08" + data[4:10] + b"a" * 3_000_000,
        "an extra field": lambda: data[:3] + b"\x04" + data[4:10] + b"\xff\xff" + bytes(65535) + data[10:],
        "twice compressed": lambda: gzip.compress(data),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


# ---- Records ----


def framed(records: list[bytes]) -> bytes:
    from unisono.io import tfrecord

    return inputs.written(lambda path: tfrecord.write(path, records))


def tfrecord_lengths(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from unisono.io import tfrecord

    length = draw.choice((0, 1, 2**26, 2**26 - 1, 2**31, 2**63, 2**64 - 1))
    head = struct.pack("<Q", length)
    made = head + struct.pack("<I", tfrecord.masked_crc32c(head)) + data[12:]
    return made, f"a record that claims {length} bytes"


def tfrecord_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made: dict[str, Callable[[], bytes]] = {
        "a bomb": lambda: gzip.compress(framed([bytes(2**26 - 1)] * 8), 9),
        "a zlib bomb": lambda: zlib.compress(framed([bytes(2**26)] * 2), 9),
        "empty records": lambda: framed([b""] * 20_000),
        "empty members": lambda: gzip.compress(b"") * 50_000,
        "zlib": lambda: zlib.compress(framed([b"x"])),
        "changed records": lambda: framed([flip(draw, each)[0] for each in inputs.examples()]),
        "noise after gzip": lambda: gzip.compress(framed([b"x"])) + draw.randbytes(100),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def example_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from unisono.io.sequence_example import _field, encode, encode_varint

    rgb = np.zeros((2, 16), np.uint8)
    frame = _field(1, b"x")
    made: dict[str, Callable[[], bytes]] = {
        "labels": lambda: encode("a", [2**63 - 1, -1, -(2**63)] * 10_000, {"rgb": rgb, "audio": rgb[:, :8]}),
        "no frames": lambda: encode("a", [14], {"rgb": rgb[:0], "audio": rgb[:0, :8]}),
        "a million fields": lambda: data + b"\x18\0" * 1_000_000,
        "lists of one name": lambda: data + _field(2, _field(1, _field(1, b"rgb") + _field(2, b"")) * 50_000),
        "a deep message": lambda: _nest(data, 2000),
        "groups": lambda: data + b"\x0b" * 1000,
        "long numbers": lambda: data + b"\x08" + b"\xff" * draw.choice((9, 10, 100_000)) + b"\x01",
        "frames of other kinds": lambda: data + _field(2, _field(1, _field(1, b"rgb") + _field(2, frame * 100_000))),
        "an id of a million letters": lambda: encode("é" * 1_000_000, [14], {"rgb": rgb, "audio": rgb[:, :8]}),
        "a length of 2^63": lambda: data + b"\x12" + encode_varint(2**63),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def _nest(data: bytes, n: int) -> bytes:
    from unisono.io.sequence_example import _field

    for _ in range(n):
        data = _field(2, data)
    return data


# ---- Arrays, pickles ----

_SHAPES = ((), (0,), (2**31,), (2**62,), (-1, 4), (2**32, 2**32), (1,) * 40, (10**30,), (3, 4, 1), (0, 2**40), (True,))
_TYPES = (
    "<f8",
    ">f4",
    "|O",
    "<U1000000",
    "|S0",
    "<M8[ns]",
    "<c16",
    "|V8",
    "|b1",
    "<f2",
    "<u8",
    "f4,f4",
    "(2,)f4",
    "x",
    ">i3",
)


def npy_header(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    length = int.from_bytes(data[8:10], "little")
    header, said = data[10 : 10 + length], ""
    what = draw.choice(("shape", "type", "order", "text", "length", "version", "deep", "big"))
    if what == "shape":
        said = repr(draw.choice(_SHAPES))
        header = re.sub(rb"\([^)]*\)", lambda _: said.encode(), header, count=1)
    elif what == "type":
        said = repr(draw.choice(_TYPES))
        header = re.sub(rb"'descr': '[^']*'", lambda _: b"'descr': " + said.encode(), header)
    elif what == "order":
        header = header.replace(b"False", b"True")
    elif what == "text":
        header, said = text_numbers(draw, header)
    elif what == "deep":
        header = b"{'descr': " + b"[" * draw.choice((90, 250, 9000)) + b"\n"
    elif what == "big":
        header = header.rstrip() + b" " * draw.choice((9000, 60_000))
    elif what == "version":
        version = bytes([draw.choice((0, 2, 3, 255)), draw.choice((0, 1))])
        return data[:6] + version + data[8:], f"version {version!r}"
    stated = len(header) if what != "length" else draw.choice((0, 1, 65535, length + 1, length - 1))
    return data[:8] + struct.pack("<H", min(stated, 65535)) + header + data[
        10 + length :
    ], f"header: {what} {said[:80]}"


def _embedded(data: bytes) -> int:
    """Where the pickle in a file begins: at once, or behind the header of a .npy file."""
    return 10 + int.from_bytes(data[8:10], "little") if data[:6] == b"\x93NUMPY" else 0


def pickle_codes(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = _embedded(data)
    try:
        codes = list(pickletools.genops(data[start:]))
    except Exception:
        return flip(draw, data)
    changed, said = bytearray(data), []
    for _ in range(draw.choice((1, 1, 2, 4))):
        index = draw.randrange(len(codes))
        code, _, place = codes[index]
        assert place is not None
        end = codes[index + 1][2] if index + 1 < len(codes) else len(data) - start
        assert end is not None
        if draw.random() < 0.5 and end > place + 1:  # the argument, or the length of one
            width = min(end - place - 1, draw.choice((1, 2, 4, 8)))
            new = draw.choice((b"\xff", b"\0", b"\x7f")) * width
            changed[start + place + 1 : start + place + 1 + width] = new
            said.append(f"argument of {code.name} at {place} -> {new!r}")
        else:
            other = draw.choice(pickletools.opcodes)
            changed[start + place] = ord(other.code)
            said.append(f"{code.name} at {place} -> {other.name}")
    return bytes(changed), "; ".join(said)


def pickle_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R"
    kind = b"cnumpy\ndtype\nX\x02\0\0\0f4K\0K\x01\x87R"
    text = b"cnumpy\ndtype\nX\x02\0\0\0U1K\0K\x01\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\x7fK\x04K\x08tb"
    made: dict[str, bytes] = {
        "a call": b"cos\nsystem\nX\x07\0\0\0touch x\x85R.",
        "a deep list": b"]" * 100_000 + b"a" * 99_999 + b".",
        "a deep tuple": b")" + b"\x85" * 100_000 + b".",
        "a deep dict": b"}" + b"K\x01}" * 20_000 + b"s" * 20_000 + b".",
        "deep arrays": b"(" * 50_000 + array + b"l" * 50_000 + b".",
        "an array deep in lists": b"]" * 5000 + array + b"a" * 5000 + b".",
        "an array in tuples": array + b"\x85" * 5000 + b".",
        "a memo of 2^31": b"]r\xff\xff\xff\x7f.",
        "a memo of 2^28": b"]r\0\0\0\x10.",
        "a text memo": b"]p99999999999\n.",
        "8 GB of bytes": b"\x8e\0\0\0\0\x02\0\0\0x.",
        "2^62 bytes": b"\x8e\0\0\0\0\0\0\0\x40x.",
        "8 GB of bytearray": b"\x96\0\0\0\0\x02\0\0\0x.",
        "8 GB of text": b"\x8d\0\0\0\0\x02\0\0\0x.",
        "a frame of 2^62": b"\x80\x04\x95\0\0\0\0\0\0\0\x40K\x01.",
        "a long integer": b"\x8b\xff\xff\xff\x7fx.",
        "a number of 400 digits": b"L" + b"9" * 400 + b"L\n.",
        "a number of 50,000 digits": b"L" + b"9" * 50_000 + b"L\n.",
        "doubling": b"]q\0" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(40)) + b".",
        "doubled tuples": b")q\0" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(40)) + b".",
        "doubled tuples of arrays": array
        + b"q\0"
        + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(40))
        + b".",
        "doubled sets": b")q\0" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(40)) + b"}h\x28K\x01s.",
        "a shape of 2^40": array + b"(K\x01\x8a\x06\0\0\0\0\0\x01\x85" + kind + b"\x89C\x04xxxxtb.",
        "an odd shape": array + b"(K\x01G?\xf0\0\0\0\0\0\0\x85" + kind + b"\x89C\x04xxxxtb.",
        "a type of 8 GB": array + b"(K\x01K\x01\x85" + text + b"\x89C\x04xxxxtb.",
        "a state of no tuple": array + b"K\x01b.",
        "bytes of a number": b"c__builtin__\nbytes\n\x8a\x05\0\0\0\0\x02\x85R.",
        "a set of a number": b"c__builtin__\nset\n\x8a\x05\0\0\0\0\x02\x85R.",
        "a complex text": b"c__builtin__\ncomplex\nX\x04\0\0\0nan1\x85R.",
        "a scalar of nothing": b"cnumpy.core.multiarray\nscalar\n" + kind + b"C\0\x86R.",
        "an endless text": b"X\xff\xff\xff\xffabc.",
        "a persistent id": b"Pabc\n.",
        "an extension": b"\x82\x01.",
        "a buffer": b"\x80\x05\x97.",
        "aliases for a key": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
        + b"? *j\n: 1\n",
        "merged aliases": b"a: &a {x: 1}\n"
        + b"".join(b"%c: &%c {<<: [%s]}\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
        "a cycle": b"]q\0h\0a.",
        "a cycle with an array": b"]q\0" + array + b"ah\0a.",
        "a tuple in itself": b"]q\0h\0\x85q\x01a" + array + b"h\0\x86.",
        "a dict for a list": pickle.dumps({"a": 1}),
        "numbers for arrays": pickle.dumps([1.0] * 100, 2),
        "texts for arrays": pickle.dumps(["x"] * 100, 2),
        "ragged lists": pickle.dumps([[[1], [1, 2]]] * 100, 2),
        "big arrays of nothing": pickle.dumps([np.empty((0, 2**40))] * 100, 2),
        "numbers of 400 digits": pickle.dumps([[10**400]] * 100, 2),
        "complex arrays": pickle.dumps([np.zeros(3, np.complex128)] * 100, 2),
        "dates": b"cnumpy\ndtype\nX\x02\0\0\0M8K\0K\x01\x87R.",
    }
    name = draw.choice(sorted(made))
    start = _embedded(data)
    return data[:start] + made[name], name


def pickle_leaves(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Unpickle a good file (our own), change one value in it, pickle it again."""
    start = _embedded(data)
    content = pickle.loads(data[start:])  # noqa: S301 (made by _inputs)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any, depth: int) -> None:
        if isinstance(value, np.ndarray) and value.dtype == object:
            keys: Any = list(np.ndindex(value.shape))
        else:
            keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for key in keys:
            places.append((value, key))
            if depth < 6:
                walk(value[key], depth + 1)

    walk(content, 0)
    odd = (
        None,
        0,
        -1,
        10**400,
        float("nan"),
        float("inf"),
        "",
        "x" * 100_000,
        b"\xff",
        [],
        [[]],
        {},
        (),
        {1, 2},
        1j,
        True,
        np.zeros((2, 0)),
        np.zeros(3, "O"),
        np.array(["a"]),
        np.float32("nan"),
        np.zeros((1, 1, 1, 1)),
        np.zeros((), "S3"),
    )
    holder, key = draw.choice(places)
    new = draw.choice(odd)
    try:
        holder[key] = new
    except (ValueError, TypeError):
        return flip(draw, data)
    return data[:start] + pickle.dumps(content, protocol=draw.choice((2, 4))), f"{str(key)[:40]} -> {repr(new)[:40]}"


def npz_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    vectors, means = inputs.npy(inputs.numbers(128, 128)), inputs.npy(inputs.numbers(128, 1))
    what = draw.choice(("header", "header", "bomb", "object", "name", "type"))
    if what == "header":
        vectors, said = npy_header(draw, vectors)
    elif what == "bomb":
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }\n" % (2**28)
        vectors, said = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(2**30), "1 GB of zeros"
    elif what == "object":
        vectors, said = inputs.npy(np.array([None, {}], dtype=object)), "objects"
    elif what == "type":
        kind = draw.choice(("c16", "S4", "M8[s]", "f2", "b1", "u8"))
        vectors, said = inputs.npy(np.zeros((128, 128), kind)), kind
    else:
        return inputs.zipped({"pca_eigen_vectors": vectors, "pca_means.npy": means}), "a member that is no .npy"
    return inputs.zipped({"pca_eigen_vectors.npy": vectors, "pca_means.npy": means}), said


# ---- safetensors ----


def safetensors_header(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    what = draw.choice(("header", "metadata", "metadata", "metadata", "array", "array", "length", "deep", "twice"))
    said = ""
    if what == "metadata" and header.get("__metadata__"):
        key = draw.choice(sorted(header["__metadata__"]))
        if draw.random() < 0.2:
            odd = ("null", "[]", "1", "", "{", "NaN", "[" * 100_000, '{"a":' * 5000, "9" * 5000, '"x"', "{}")
            header["__metadata__"][key] = draw.choice(odd)
            said = header["__metadata__"][key][:40]
        else:
            content, said = json_values(draw, json.loads(header["__metadata__"][key]))
            header["__metadata__"][key] = json.dumps(content)
    elif what == "array":
        name = draw.choice([each for each in header if each != "__metadata__"])
        entry = header[name]
        part = draw.choice(("dtype", "shape", "data_offsets", "name", "gone"))
        if part == "dtype":
            entry[part] = draw.choice(("F64", "BF16", "F16", "I8", "U64", "BOOL", "F8_E4M3", "X", 1))
        elif part == "shape":
            entry[part] = draw.choice(
                ([], [0], [2**63], [2**32, 2**32], [-1], entry[part][::-1], [*entry[part], 1], "x")
            )
        elif part == "data_offsets":
            start, stop = entry[part]
            entry[part] = draw.choice(([0, 0], [start, stop + 4], [stop, start], [0, 2**63], [start, 10**30], []))
        else:
            moved = header.pop(name)
            if part == "name":
                header[draw.choice(("", "../x", "é\0", name.upper()))] = moved
        said = f"{name}: {part} {str(entry.get(part))[:40]}"
    elif what == "header":
        header, said = json_values(draw, header)
    encoded = json.dumps(header).encode()
    if what == "deep":
        encoded = b'{"a":' * draw.choice((100, 100_000))
    elif what == "twice":
        encoded = encoded[:-1] + b"," + encoded[1:]
    stated = draw.choice((0, 1, 2**31, 2**63, len(encoded) - 1)) if what == "length" else len(encoded)
    return stated.to_bytes(8, "little") + encoded + data[8 + length :], f"{what} {said}"


def safetensors_values(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = 8 + int.from_bytes(data[:8], "little")
    new = draw.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\x01\0\0\0", b"\0\0\0\x80"))
    place = start + 4 * draw.randrange((len(data) - start) // 4)
    n = draw.choice((1, 4, 10_000))
    stop = min(place + 4 * n, len(data))
    return data[:place] + (new * n)[: stop - place] + data[stop:], f"numbers at {place} -> {new!r}, {n} times"


def state_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write a torch state dict anew with other keys, types and shapes."""
    import torch

    content = torch.load(io.BytesIO(data), weights_only=True)["state_dict"]
    name = draw.choice(sorted(content))
    tensor = content[name]
    odd: dict[str, Any] = {
        "none": None,
        "a number": 3,
        "complex": tensor.to(torch.complex64),
        "int": tensor.to(torch.int64),
        "bool": tensor > 0,
        "bfloat16": tensor.to(torch.bfloat16),
        "float8": tensor.float().to(torch.float8_e4m3fn),
        "quantised": torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
        "sparse": tensor.float().reshape(-1).to_sparse(),
        "expanded": torch.zeros(1).expand(2**33),
        "expanded as it should be": torch.zeros(1).expand(tensor.shape or (1,)),
        "meta": tensor.to("meta"),
        "empty": tensor.float()[:0] if tensor.ndim else torch.empty(0),
        "NaN": torch.full(tuple(tensor.shape), torch.nan),
        "nested": {"a": tensor},
        "a list": [tensor],
    }
    what = draw.choice((*sorted(odd), "whole", "keys", "no zip"))
    with io.BytesIO() as file:
        if what == "whole":
            torch.save(
                draw.choice((None, [], {}, {"state_dict": None}, {"state_dict": [tensor]}, tensor, {1: tensor})), file
            )
        elif what == "keys":
            torch.save({1: tensor, (2,): tensor, **content}, file)
        elif what == "no zip":
            torch.save(content, file, _use_new_zipfile_serialization=False)
        else:
            torch.save({**content, name: odd[what]}, file)
        return file.getvalue(), f"{name}: {what}"


# ---- Parquet, HDF5 ----


def parquet_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write a table anew with a column of another type, other values, or of giant contents."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = pq.read_table(io.BytesIO(data))
    name = draw.choice(good.schema.names)
    at, n = good.schema.names.index(name), len(good)
    column = good.column(name)
    vectors = [[1.0, 2.0, 3.0, 4.0]] * n
    odd: dict[str, Callable[[], Any]] = {
        "nulls": lambda: pa.array([None] * n, column.type),
        "a null": lambda: pa.array([None, *column.to_pylist()[1:]], column.type),
        "type null": lambda: pa.nulls(n),
        "bool": lambda: pa.array([True] * n),
        "uint64": lambda: pa.array([2**64 - 1] * n, pa.uint64()),
        "int64": lambda: pa.array(range(n)),
        "date": lambda: pa.array([1] * n, pa.date32()),
        "timestamp": lambda: pa.array([2**62] * n, pa.timestamp("us")),
        "decimal": lambda: pa.array([1] * n).cast(pa.decimal128(38, 0)),
        "binary": lambda: pa.array([b"\xff\0"] * n),
        "struct": lambda: pa.array([{"a": 1, "bytes": b"x", "path": "y"}] * n),
        "struct with nulls": lambda: pa.array(
            [{"bytes": None, "path": None}] * n, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        ),
        "map": lambda: pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int32())),
        "dictionary": lambda: pa.array(["a", "b"] * n)[:n].dictionary_encode(),
        "dictionary of numbers": lambda: pa.array([1.5] * n).dictionary_encode(),
        "empty texts": lambda: pa.array([""] * n),
        "NUL texts": lambda: pa.array([f"\0{i}" for i in range(n)]),
        "paths": lambda: pa.array([f"../../x{i}" for i in range(n)]),
        "same texts": lambda: pa.array(["a"] * n),
        "no UTF-8": lambda: (
            pa.array([b"\xff%d" % i for i in range(n)]).cast(pa.string(), safe=False)
            if False
            else pa.Array.from_buffers(pa.string(), n, pa.array([b"\xff%d" % (i % 10) for i in range(n)]).buffers())
        ),
        "views of texts": lambda: pa.array(["a"] * n, pa.string_view()),
        "half": lambda: (
            pa.array(np.ones((n, 4), np.float16).reshape(-1)).cast(pa.float16())
            if False
            else pa.FixedSizeListArray.from_arrays(pa.array(np.ones(4 * n, np.float16)), 4)
        ),
        "doubles": lambda: pa.array(vectors, pa.list_(pa.float64())),
        "huge doubles": lambda: pa.array([[1e300] * 4] * n, pa.list_(pa.float64())),
        "NaN": lambda: pa.array([[float("nan")] * 4] * n, pa.list_(pa.float32())),
        "lists of other widths": lambda: pa.array([[1.0] * (i + 1) for i in range(n)], pa.list_(pa.float32())),
        "empty lists": lambda: pa.array([[]] * n, pa.list_(pa.float32())),
        "lists of nothing": lambda: pa.array([[]] * n, pa.list_(pa.null())),
        "nulls in lists": lambda: pa.array([[1.0, None]] * n, pa.list_(pa.float32())),
        "null lists": lambda: pa.array([None, *[[1.0]] * (n - 1)], pa.list_(pa.float32())),
        "null frames": lambda: pa.array([[[1.0], None]] * n, pa.list_(pa.list_(pa.float32()))),
        "deep lists": lambda: pa.array([_deep(1.0, 30)] * n),
        "lists of texts": lambda: pa.array([["a"]] * n),
        "lists of structs": lambda: pa.array([[{"a": 1.0}]] * n),
        "large lists": lambda: pa.array(vectors, pa.large_list(pa.float32())),
        "list views": lambda: pa.array(vectors, pa.list_view(pa.float32())),
        "fixed lists of none": lambda: pa.array([[]] * n, pa.list_(pa.float32(), 0)),
        "tensors": lambda: pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.float32(), [2, 2]), pa.array(vectors, pa.list_(pa.float32(), 4))
        ),
        "tensors turned": lambda: pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.float32(), [2, 2], permutation=[1, 0]),
            pa.array(vectors, pa.list_(pa.float32(), 4)),
        ),
        "uuid": lambda: pa.array([b"x" * 16] * n, pa.binary(16)),
        "a text of a million": lambda: pa.array(["x" * 1_000_000 + str(i) for i in range(n)]),
        "infinite": lambda: pa.array([[float("inf")] * 4] * n, pa.list_(pa.float64())),
        "integers in lists": lambda: pa.array([[1, 2]] * n),
        "8-bit in lists": lambda: pa.array([[1, 2, 3, 4]] * n, pa.list_(pa.uint8())),
    }
    whole: dict[str, Callable[[], Any]] = {
        "no rows": lambda: good.slice(0, 0),
        "one row": lambda: good.slice(0, 1),
        "twice the column": lambda: good.append_column(name, column),
        "without the column": lambda: good.drop_columns([name]),
        "an odd name": lambda: good.rename_columns(
            [draw.choice(_NAMES) if each == name else each for each in good.schema.names]
        ),
        "rows twice": lambda: pa.concat_tables([good, good]),
        "odd metadata": lambda: good.replace_schema_metadata(
            {
                "unisono": draw.choice(("[", "[1]", "null", "9" * 5000, "[" * 100_000, '{"source": 1}')),
                "huggingface": "x",
                "pandas": "{",
            }
        ),
        "2,000 more columns": lambda: _wide(good, 2000),
        "split and fold": lambda: good.append_column("split", pa.array(["train", "test"] * n)[:n]),
    }
    bombs: dict[str, Callable[[], Any]] = {
        "1 GB of zeros": lambda: _replaced(
            good, at, name, pa.array(np.zeros(25 * 10**7 // n * n, np.float32)), 25 * 10**7 // n
        ),
        "1 GB in one list": lambda: _one_list(good, at, name, 25 * 10**7),
        "200 MB of zeros": lambda: _replaced(
            good, at, name, pa.array(np.zeros(5 * 10**7 // n * n, np.float32)), 5 * 10**7 // n
        ),
        "3 million rows": lambda: pa.table(
            {each: pa.array(np.zeros(3_000_000, np.int64)) for each in good.schema.names}
        ),
        "a long text": lambda: (
            good.set_column(at, name, pa.array(["x" * 10**8 + str(i) for i in range(n)])) if n < 5 else good
        ),
    }
    kinds = draw.choice((odd, odd, odd, odd, odd, whole, whole, bombs))
    what = draw.choice(sorted(kinds))
    made = kinds[what]()
    if kinds is odd:
        made = good.set_column(at, name, made)
    options = {"compression": draw.choice(("zstd", "snappy", "gzip", "none", "brotli"))}
    if kinds is bombs:
        options = {"compression": "zstd", "compression_level": 12}
    with io.BytesIO() as file:
        pq.write_table(made, file, store_schema=draw.random() < 0.8, use_dictionary=kinds is not bombs, **options)
        return file.getvalue(), f"{name}: {what}"


_NAMES = ("", "../x", "/abs", "a\0b", "x" * 300, "é\u202e", "id", "a/b", "x.list.element", "\x1b[2J", "label")


def _deep(value: Any, n: int) -> Any:
    for _ in range(n):
        value = [value]
    return value


def _wide(table: Any, n: int) -> Any:
    import pyarrow as pa

    more = {f"c{i}": pa.array([[1.0]] * len(table), pa.list_(pa.float32())) for i in range(n)}
    return pa.table({**{name: table.column(name) for name in table.schema.names}, **more})


def _replaced(table: Any, at: int, name: str, flat: Any, width: int) -> Any:
    import pyarrow as pa

    return table.set_column(at, name, pa.FixedSizeListArray.from_arrays(flat, width))


def _one_list(table: Any, at: int, name: str, n: int) -> Any:
    import pyarrow as pa

    ends = np.zeros(len(table) + 1, np.int32)
    ends[-1] = n
    return table.set_column(at, name, pa.ListArray.from_arrays(pa.array(ends), pa.array(np.zeros(n, np.float32))))


def hdf5_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write an HDF5 file anew with one data set of another kind."""
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        arrays = {name: file[name][()] for name in names}
    name = draw.choice(sorted(arrays))
    array = arrays.pop(name)
    rows = len(array)
    text = h5py.string_dtype()
    odd: dict[str, Callable[[Any], Any]] = {
        "scalar": lambda f: f.create_dataset(name, data=1),
        "empty": lambda f: f.create_dataset(name, data=h5py.Empty("f")),
        "no rows": lambda f: f.create_dataset(name, shape=(0, 4), dtype="f4"),
        "4 GB, sparse": lambda f: f.create_dataset(name, shape=(2**20, 2**10), chunks=(2**10, 2**10), dtype="f4"),
        "1 TB, contiguous": lambda f: f.create_dataset(name, shape=(2**38,), dtype="f4"),
        "300 MB, sparse": lambda f: f.create_dataset(name, shape=(rows, 12_500_000), chunks=(1, 10**6), dtype="f4"),
        "250 MB, sparse": lambda f: f.create_dataset(name, shape=(rows, 10_000_000), chunks=(1, 10**6), dtype="f4"),
        "250 MB of bytes": lambda f: f.create_dataset(name, shape=(rows, 41_000_000), chunks=(1, 10**6), dtype="u1"),
        "250 MB of halves": lambda f: f.create_dataset(name, shape=(rows, 20_000_000), chunks=(1, 10**6), dtype="f2"),
        "a giant chunk": lambda f: f.create_dataset(
            name, shape=(2, 2**27), chunks=(2, 2**27), dtype="f4", compression="gzip"
        ),
        "wide": lambda f: f.create_dataset(
            name, shape=(rows, 2**40), maxshape=(None, None), chunks=(1, 2**10), dtype="f4"
        ),
        "texts": lambda f: f.create_dataset(name, data=["é", "x" * 100_000] * (rows // 2), dtype=text),
        "many texts": lambda f: f.create_dataset(name, shape=(2_000_000,), dtype=text, chunks=(100_000,)),
        "fixed texts": lambda f: f.create_dataset(name, data=np.array([b"\xff\xfe"] * rows)),
        "texts of 1 GB": lambda f: f.create_dataset(name, shape=(rows,), dtype="S1000000000", chunks=(1,)),
        "compound": lambda f: f.create_dataset(name, data=np.zeros(rows, [("a", "f4"), ("b", "i4")])),
        "enum": lambda f: f.create_dataset(name, shape=(rows,), dtype=h5py.enum_dtype({"a": 1})),
        "complex": lambda f: f.create_dataset(name, data=np.zeros((rows, 4), np.complex64)),
        "bool": lambda f: f.create_dataset(name, data=np.zeros((rows, 4), bool)),
        "big endian": lambda f: f.create_dataset(name, data=np.ones((rows, 4), ">f8")),
        "half": lambda f: f.create_dataset(name, data=np.ones((rows, 4), "f2")),
        "long doubles": lambda f: f.create_dataset(name, data=np.ones((rows, 4), np.longdouble)),
        "uint64": lambda f: f.create_dataset(name, data=np.full((rows, 4), 2**64 - 1, np.uint64)),
        "huge doubles": lambda f: f.create_dataset(name, data=np.full(np.shape(array), 1e300)),
        "NaN": lambda f: f.create_dataset(name, data=np.full(np.shape(array), np.nan, "f4")),
        "references": lambda f: f.create_dataset(name, shape=(rows,), dtype=h5py.ref_dtype),
        "ragged": lambda f: f.create_dataset(name, shape=(rows,), dtype=h5py.vlen_dtype(np.float32)),
        "opaque": lambda f: f.create_dataset(name, data=np.zeros(rows, "V8")),
        "arrays in rows": lambda f: f.create_dataset(name, shape=(rows,), dtype=np.dtype(("f4", (4,)))),
        "30 axes": lambda f: f.create_dataset(name, data=np.zeros((rows, *(1,) * 29), "f4")),
        "axes of none": lambda f: f.create_dataset(name, shape=(rows, 0, 2**50), dtype="f4"),
        "a group": lambda f: f.create_group(name),
        "a soft link": lambda f: f.__setitem__(name, h5py.SoftLink("/nowhere")),
        "a link to itself": lambda f: f.__setitem__(name, h5py.SoftLink(f"/{name}")),
        "an external link": lambda f: f.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/x")),
        "external": lambda f: f.create_dataset(name, shape=(100,), dtype="u1", external=[("/etc/passwd", 0, 100)]),
        "virtual": lambda f: _virtual(f, name),
        "a type": lambda f: f.__setitem__(name, np.dtype("f4")),
        "filters": lambda f: f.create_dataset(
            name, data=np.ones((rows, 4), "f4"), chunks=(1, 4), compression="lzf", fletcher32=True, shuffle=True
        ),
        "many groups": lambda f: [f.create_group(f"g{i}") for i in range(2000)],
        "deep groups": lambda f: f.create_group("/".join("g" * 300)),
        "attributes": lambda f: f.attrs.__setitem__("a", np.zeros(8000)),
    }
    what = draw.choice(sorted(odd))
    with io.BytesIO() as stream:
        with h5py.File(stream, "w", libver=draw.choice((None, "latest"))) as file:
            for other, values in arrays.items():
                file.create_dataset(other, data=values)
            odd[what](file)
        return stream.getvalue(), f"{name}: {what}"


def _virtual(file: Any, name: str) -> None:
    import h5py

    layout = h5py.VirtualLayout(shape=(6, 4), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(6, 4))
    file.create_virtual_dataset(name, layout)


# ---- Pictures, sounds, videos ----


def _png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", head), *more, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")):
        data += struct.pack(">I", len(content)) + kind + content
        data += struct.pack(">I", zlib.crc32(kind + content))
    return data


def picture_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from PIL import Image

    def saved(image: Any, kind: str, **options: Any) -> bytes:
        with io.BytesIO() as file:
            image.save(file, kind, **options)
            return file.getvalue()

    frames = [Image.new("L", (400, 300), i) for i in range(60)]
    made: dict[str, Callable[[], bytes]] = {
        "39 megapixels": lambda: _png(6500, 6000, 8, 0, bytes(6501 * 6000)),
        "39 megapixels of 16 bits and transparency": lambda: _png(6500, 6000, 16, 6, bytes((6500 * 8 + 1) * 6000)),
        "39 megapixels of a bit": lambda: _png(6500, 6000, 1, 0, bytes((6500 // 8 + 2) * 6000)),
        "a billion pixels": lambda: _png(2**15, 2**15, 1, 0, b""),
        "2^31 pixels": lambda: _png(2**31 - 1, 1, 8, 0, b"\0\0"),
        "no pixels": lambda: _png(0, 0, 8, 0, b""),
        "a line": lambda: _png(30_000_000, 1, 1, 0, bytes(30_000_000 // 8 + 2)),
        "a column": lambda: _png(1, 30_000_000, 8, 0, bytes(60_000_000)),
        "one pixel": lambda: _png(1, 1, 8, 0, b"\0\0"),
        "two rows": lambda: _png(400, 2, 8, 0, (b"\0" + b"\xff\0" * 200) * 2),
        "black": lambda: _png(200, 100, 8, 0, bytes(201 * 100)),
        "a palette of nothing": lambda: _png(10, 10, 8, 3, bytes(110), (b"PLTE", b"")),
        "texts that unpack": lambda: _png(
            10, 10, 8, 0, bytes(110), *[(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9))] * 8
        ),
        "a profile that unpacks": lambda: _png(
            10, 10, 8, 0, bytes(110), (b"iCCP", b"a\0\0" + zlib.compress(bytes(2**28), 9))
        ),
        "a turn": lambda: _png(
            10, 10, 8, 0, bytes(110), (b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x7f\x06\0\0\0")
        ),
        "many chunks": lambda: _png(10, 10, 8, 0, bytes(110), *[(b"tEXt", b"a\0b")] * 50_000),
        "a long row of data": lambda: _png(10, 10, 8, 0, bytes(2**28)),
        "frames": lambda: saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True),
        "animated PNG": lambda: saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "pages of TIFF": lambda: saved(
            frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_deflate"
        ),
        "floats": lambda: saved(Image.new("F", (300, 80), float("nan")), "TIFF"),
        "32-bit numbers": lambda: saved(Image.new("I", (300, 80), 2**31 - 1), "TIFF"),
        "16-bit numbers": lambda: saved(Image.new("I;16", (300, 80), 65535), "PNG"),
        "CMYK": lambda: saved(Image.new("CMYK", (300, 80)), "TIFF"),
        "Lab": lambda: saved(Image.new("LAB", (300, 80)), "TIFF"),
        "a big TIFF": lambda: saved(Image.new("1", (6000, 6000)), "TIFF", compression="group4"),
        "a big TIFF of colours": lambda: saved(Image.new("RGBA", (6300, 6300)), "TIFF", compression="tiff_lzw"),
        "a big WebP": lambda: saved(Image.new("RGB", (6000, 6000)), "WEBP", quality=1, method=0),
        "a big JPEG": lambda: saved(Image.new("RGB", (6000, 6000)), "JPEG", quality=1, progressive=draw.random() < 0.5),
        "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) (w) file closefile\n",
        "GIF": lambda: saved(Image.new("L", (20, 20)), "GIF"),
        "ICO": lambda: saved(Image.new("L", (20, 20)), "ICO"),
        "JPEG 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200),
        "a staff on nothing": lambda: saved(_transparent(), "PNG"),
        "a bitmap by runs": lambda: _rle(),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def _transparent() -> Any:
    image = inputs.staff().convert("RGBA")
    image.putalpha(0)
    return image


def _rle() -> bytes:
    body = b"\xff\0" * 1000 + b"\0\x02\xff\xff" * 20_000 + b"\0\1"
    head = struct.pack("<IIIHHIIIIII", 40, 6000, 6000, 1, 8, 1, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(body), 0, 0, 54 + 1024) + head + bytes(1024) + body


def sound_made(kind: str) -> Mutator:
    def mutate(draw: random.Random, data: bytes) -> tuple[bytes, str]:
        import soundfile

        def written(samples: np.ndarray, rate: int = 16_000, **options: Any) -> bytes:
            return inputs.encoded(samples, rate, kind, **options)

        tone = 0.3 * np.sin(np.arange(4000) / 5)
        made: dict[str, Callable[[], bytes]] = {
            "silence": lambda: written(np.zeros(4000)),
            "one sample": lambda: written(tone[:1]),
            "no samples": lambda: written(tone[:0]),
            "8 channels": lambda: written(np.stack([tone] * (8 if kind in ("WAV", "FLAC") else 2), axis=1)),
            "20 minutes of silence": lambda: written(np.zeros(1200 * 8000, np.int16), 8000),
            "8 kHz": lambda: written(tone, 8000),
            "others": lambda: draw.choice(
                [inputs.sound(each)()[0] for each in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU")]
            ),
            "twice": lambda: data * 2,
            "a tag before it": lambda: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + data,
            "a long tag before it": lambda: b"ID3\x04\0\0\0\x10\0\0" + bytes(2**18) + data,
            "a tag after it": lambda: data + b"TAG" + bytes(125),
            "full scale": lambda: written(np.where(tone > 0, 1.0, -1.0)),
        }
        if kind == "WAV":
            made |= {
                "floats that are none": lambda: written(np.full(4000, np.nan), subtype="FLOAT"),
                "huge floats": lambda: written(np.full(4000, 1e300), subtype="DOUBLE"),
                "infinite": lambda: written(np.append(tone, np.inf), subtype="FLOAT"),
                "1 Hz": lambda: written(tone, 1),
                "2^31 Hz": lambda: written(tone, 2**31 - 1),
                "an odd rate": lambda: written(tone, draw.choice((7, 15_999, 44_101, 655_350, 100_003))),
                "ADPCM": lambda: written(tone, subtype=draw.choice(("IMA_ADPCM", "MS_ADPCM", "GSM610", "ULAW"))),
                "1,000 channels": lambda: written(np.zeros((40, 1000)) + 0.3),
                "64 bits": lambda: b"RF64" + data[4:],
            }
        if kind == "FLAC":
            made |= {
                "2^36 samples": lambda: data[:21] + bytes([data[21] | 15]) + b"\xff" * 4 + data[26:],
                "no number of samples": lambda: data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:],
                "a picture of 16 MB": lambda: data[:42] + b"\x06\xff\xff\xff" + data[42:],
            }
        name = draw.choice(sorted(made))
        try:
            return made[name](), name
        except (soundfile.SoundFileError, ValueError, TypeError):
            return flip(draw, data)

    return mutate


def midi_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    def file(track: bytes, division: int = 220, n: int = 1, kind: int = 1) -> bytes:
        return (
            b"MThd"
            + struct.pack(">IHHH", 6, kind, n, division)
            + (b"MTrk" + struct.pack(">I", len(track)) + track) * min(n, 2000)
        )

    note = b"\x00\x90\x3c\x40\x30\x80\x3c\x40"
    end = b"\0\xff\x2f\0"
    last = b"\xff\xff\xff\x7f"
    made: dict[str, bytes] = {
        "late notes": file((last + b"\x90\x3c\x40" + last + b"\x80\x3c\x40") * 30 + end),
        "later notes": file((last + b"\x90\x3c\x40" + b"\x10\x80\x3c\x40") * 3000 + end),
        "100,000 notes": file(note * 100_000 + end),
        "notes without end": file(b"\0\x90\x3c\x40" * 100_000 + end),
        "division 0": file(note * 24 + end, 0),
        "SMPTE": file(note * 24 + end, 0xE728),
        "65,535 tracks": file(end, n=65_535),
        "2,000 tracks": file(note * 24 + end, n=2000),
        "kind 2": file(note * 24 + end, kind=2),
        "tempo 0": file(b"\0\xff\x51\x03\0\0\0" + note * 24 + end),
        "tempo of 2 bytes": file(b"\0\xff\x51\x02\0\0" + note * 24 + end),
        "200,000 tempi": file(b"\x01\xff\x51\x03\x01\0\0" * 200_000 + note * 24 + end),
        "tempi far apart": file((last + b"\xff\x51\x03\x01\0\0") * 2000 + note * 24 + end),
        "slow": file(b"\0\xff\x51\x03\xff\xff\xff" + (last + b"\x90\x3c\x40" + last + b"\x80\x3c\x40") * 24 + end, 1),
        "a signature of 2^255": file(b"\0\xff\x58\x04\x04\xff\x18\x08" + note * 24 + end),
        "a signature of 0": file(b"\0\xff\x58\x04\0\x02\x18\x08" + note * 24 + end),
        "a long text": file(b"\0\xff\x01\x83\xff\xff\x7f" + b"x" * (2**16 + 2**14) + note * 24 + end),
        "a meta event of 2^28": file(b"\0\xff\x01\xff\xff\xff\x7f" + note * 24 + end),
        "a long delta": file(b"\xff" * 1000 + b"\0" + note * 24 + end),
        "a SysEx without end": file(b"\0\xf0" + b"\x7f" * 10 + note * 24 + end),
        "running status": file(b"\0\x90\x3c\x40" + b"\x10\x3c\x00\x10\x3c\x40" * 24 + end),
        "data without status": file(b"\0\x3c\x40" * 24 + end),
        "drums": file(note.replace(b"\x90", b"\x99").replace(b"\x80", b"\x89") * 24 + end),
        "bends": file(b"\0\xe0\x7f\x7f" * 50_000 + note * 24 + end),
        "programmes": file((b"\0\xc0\x05" + note) * 24 + end),
        "notes of no length": file(b"\0\x90\x3c\x40\0\x80\x3c\x40" * 24 + end),
        "RMID": b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + data,
        "RMID without MIDI": b"RIFF\0\0\0\0RMID" + bytes(100),
        "a key of 2^7": file(b"\0\xff\x59\x02\x80\xff" + note * 24 + end),
        "a key of one byte": file(b"\0\xff\x59\x01\x80" + note * 24 + end),
        "no track": b"MThd" + struct.pack(">IHHH", 6, 1, 0, 220),
        "lyrics of no coding": file(b"\0\xff\x05\x02\xff\xfe" + note * 24 + end),
    }
    name = draw.choice(sorted(made))
    return made[name], name


def film_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    import av

    def encoded(width: int, height: int, n: int, rate: int, *, kind: str = "mp4", sound: int = 0) -> bytes:
        with io.BytesIO() as file:
            with av.open(file, "w", format=kind) as out:
                video = out.add_stream("mpeg4", rate=rate)
                video.width, video.height, video.pix_fmt, video.gop_size = width, height, "yuv420p", 300
                # All streams before the first packet, which writes the header.
                audio = (
                    out.add_stream("pcm_s16le" if kind != "mp4" else "aac", rate=sound, layout="mono")
                    if sound
                    else None
                )
                video.codec_context.qmin = video.codec_context.qmax = 31
                picture = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24").reformat(
                    format="yuv420p"
                )
                for i in range(n):
                    picture.pts = i
                    out.mux(video.encode(picture))
                out.mux(video.encode(None))
                if audio:
                    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
                    frame.sample_rate = sound
                    out.mux(audio.encode(frame))
                    out.mux(audio.encode(None))
            return file.getvalue()

    made: dict[str, Callable[[], bytes]] = {
        "large pictures": lambda: encoded(3840, 2160, 3, 1),
        "pictures of seconds": lambda: encoded(320, 240, 60, 1),
        "a line": lambda: encoded(4096, 16, 3, 1),
        "5,000 pictures": lambda: encoded(32, 32, 5000, 30),
        "AVI": lambda: encoded(64, 48, 8, 4, kind="avi", sound=8000),
        "Matroska": lambda: encoded(64, 48, 8, 4, kind="matroska", sound=8000),
        "no sound": lambda: encoded(64, 48, 8, 4),
        "a playlist": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "a concatenation": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
        "an SDP": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "a reference": lambda: data.replace(b"url \0\0\0\1", b"url \0\0\0\0"),
        "boxes in boxes": lambda: _boxes(5000) + data,
        "many boxes": lambda: struct.pack(">I4s", 8, b"free") * 100_000 + data,
        "the index twice": lambda: data + data[data.find(b"moov") - 4 :],
        "only a sound": lambda: inputs.sound(draw.choice(("WAV", "OGG", "FLAC")))()[0],
        "Matroska of sizes unknown": lambda: (
            b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 2000
        ),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def _boxes(n: int) -> bytes:
    return b"".join(struct.pack(">I4s", 8 * (n - i), b"moov") for i in range(n))


def graph_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from unisono.features.tf_runtime import tensorflow

    tf = tensorflow()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        inner = archive.extractfile(next(iter(archive))).read()  # type: ignore[union-attr]
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(inner)
    node = draw.choice(list(graph.node))
    what = draw.choice(("op", "input", "cycle", "name", "gone", "attr", "file", "shape", "many", "print"))
    if what == "op":
        node.op = draw.choice(("Nope", "ReadFile", "PyFunc", "Placeholder", "WriteFile", "Identity", ""))
    elif what == "input":
        node.input.append(draw.choice(("nowhere", "^nowhere", ":0", "a:99999999999", "pool_3/_reshape", "")))
    elif what == "cycle" and node.input:
        node.input[0] = node.name
    elif what == "name":
        node.name = draw.choice(("", "../x", "é", "pool_3/_reshape", "a" * 10_000))
    elif what == "gone":
        graph.node.remove(node)
    elif what == "attr" and node.attr:
        node.attr[draw.choice(sorted(node.attr))].i = -1
    elif what == "shape":
        for each in graph.node:
            if "value" in each.attr and each.attr["value"].tensor.tensor_shape.dim:
                each.attr["value"].tensor.tensor_shape.dim[0].size = draw.choice((-1, 0, 2**40, 2**62))
    elif what == "many":
        for i in range(3000):
            extra = graph.node.add()
            extra.name, extra.op = f"n{i}", "NoOp"
            graph.node[0].input.append(f"^n{i}")
    elif what in ("file", "print"):
        extra = graph.node.add()
        extra.name, extra.op = "x", "WriteFile" if what == "file" else "Print"
        extra.input.extend(["Input", "Input"])
        node.input.append("^x")
    return inputs.tarred({"graph.pb": graph.SerializeToString()}, "w:gz"), f"{what} of {node.name[:40]}"


# ---- By format ----

_PICKLE: list[Mutator] = [pickle_codes, pickle_made, pickle_leaves]
_HDF5: list[Mutator] = [hdf5_made, hdf5_made, edited(word_fields)]
_TAR: list[Mutator] = [tar_edited, tar_made]

AWARE: dict[str, list[Mutator]] = {
    "parquet": [parquet_made, parquet_made, parquet_made, edited(footer_fields)],
    "hdf5": _HDF5,
    "zip": [zip_made, edited(zip_fields)],
    "tar": _TAR,
    "tar.gz": [inside_gzip(*_TAR), inside_gzip(*_TAR), gzip_made],
    "tfrecord": [tfrecord_lengths, tfrecord_made],
    "example": [example_made, edited(varint_fields)],
    "npy": [npy_header],
    "pickled npy": [npy_header, *_PICKLE],
    "pickle": _PICKLE,
    "old pickle": [pickle_codes, pickle_made],
    "npz": [npz_made, edited(zip_fields)],
    "safetensors": [safetensors_header, safetensors_header, safetensors_values],
    "state": [state_made, edited(zip_fields)],
    "checkpoint": [edited(word_fields), edited(varint_fields)],
    "graph": [graph_made, gzip_made],
    "wav": [edited(riff_fields), sound_made("WAV")],
    "flac": [edited(flac_fields), sound_made("FLAC")],
    "ogg": [edited(ogg_fields, ogg_repair), sound_made("OGG")],
    "mp3": [edited(mp3_fields), sound_made("MP3")],
    "picture": [edited(picture_fields, picture_repair), picture_made],
    "film": [edited(box_fields), edited(box_fields), film_made],
    "films": [zip_made, edited(zip_fields)],
    "pdf": [pdf_made, text_numbers],
    "midi": [midi_made, edited(midi_fields)],
    "score": [score_made, score_made, text_numbers, text_words],
    "mxl": [mxl_made, mxl_made, edited(zip_fields)],
    "lyrics": [lyrics_made, text_words, text_coding],
    "csv": [csv_made, *TEXT],
    "json": [json_document, json_deep, text_numbers],
    "yaml": [yaml_made, yaml_sections, *TEXT],
    "argument": [argument_made, text_numbers, text_words],
}
