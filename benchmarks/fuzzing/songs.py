"""Lyrics, lists of songs, tags of sound files, deals and wheels, made anew."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

from fuzzing import inputs, songs_inputs
from fuzzing.arrays import npy_header
from fuzzing.fields import Field, flip
from fuzzing.texts import score_made


def song_lyrics_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    n = draw.choice((1000, 100_000, 900_000))
    made: dict[str, Callable[[], bytes]] = {
        "20 MB": lambda: b"la li lo " * 2_200_000,
        "nothing": lambda: b"",
        "a script": lambda: data + b"<script>fetch('http://127.0.0.1:9')</script>" * 100,
        "a script without end": lambda: b"<script>" + data,
        "open tags": lambda: b"<a" * (n // 2),
        "tags that never end": lambda: b"<a " * (n // 3),
        "tags in tags": lambda: b"<a<b" * (n // 4) + b">",
        "closed tags": lambda: b"</a>" * (n // 4),
        "less than": lambda: b"<" * n,
        "blanks in tags": lambda: b"<a" + b" " * n,
        "entities": lambda: b"&amp;lt;script&gt;" * (n // 20) + data,
        "comments": lambda: b"<!--" * (n // 4) + data,
        "marks in order": lambda: ("a" + "\u0301" * (n // 4)).encode() + b" b c d",
        "marks out of order": lambda: ("a" + "\u0301\u0323" * (n // 8)).encode() + b" b c d",
        "marks on every letter": lambda: ("e\u0301\u0323\u0307 " * (n // 10)).encode(),
        "ligatures": lambda: "\ufdfa ".encode() * (n // 8),
        "one word": lambda: b"a" * n,
        "hyphens": lambda: b"la-" * (n // 3),
        "syllables with blanks": lambda: b"la- " * (n // 4),
        "apostrophes": lambda: b"a'" * (n // 2),
        "blanks": lambda: " \u2003\t".encode() * (n // 6),
        "lines": lambda: b"\r\n\x0b\x0c" * (n // 4) + data,
        "NUL": lambda: data + b"\0" * n,
        "Latin-1": lambda: "Ça va, l'été déjà à la forêt où naît l'âme\n".encode("latin-1") * 20,
        "bytes of no coding": lambda: draw.randbytes(n),
        "high bytes": lambda: bytes(range(128, 256)) * (n // 128),
        "UTF-16 cut": lambda: b"\xff\xfe" + data.decode().encode("utf-16-le")[:-1],
        "UTF-16 of surrogates": lambda: b"\xff\xfe" + b"\x00\xd8" * 100,
        "UTF-16 without a mark": lambda: data.decode().encode("utf-16-le"),
        "UTF-32 out of range": lambda: b"\xff\xfe\0\0" + b"\xff" * 400,
        "Shift JIS": lambda: ("夜の海は静かで星が光る" * 40).encode("shift_jis"),
        "a mark alone": lambda: draw.choice((b"\xff\xfe", b"\xef\xbb\xbf", b"\xff\xfe\0\0", b"\xfe\xff")),
        "Chinese": lambda: ("我爱你" * (n // 9)).encode(),
        "a million words": lambda: b" ".join(b"%x" % i for i in range(n // 6)),
    }
    name = draw.choice(sorted(made))
    return made[name](), f"{name} ({n})"


def lrc_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    n = draw.choice((1000, 100_000, 900_000))
    made: dict[str, Callable[[], bytes]] = {
        "stamps": lambda: b"[00:01.00]" * (n // 10) + b" la li lo",
        "open brackets": lambda: b"[" * n,
        "open stamps": lambda: b"[1" * (n // 2),
        "a stamp without end": lambda: b"[0" + b"1:" * (n // 2),
        "stamps and blanks": lambda: b"[0] " * (n // 4) + b"[",
        "blanks before a stamp": lambda: b" " * n + b"[00:01]la",
        "digits without brackets": lambda: b"1:2]" * (n // 4) + data,
        "digits": lambda: b"1" * n,
        "colons": lambda: b"1:" * (n // 2),
        "stamps of words": lambda: b"<00:01.00>la " * (n // 13),
        "open stamps of words": lambda: b"<1" * (n // 2),
        "a stamp of words without end": lambda: b"<" + b" " * n + b"1",
        "a long tag": lambda: b"[ar:" + b"a" * n + b"] la li lo",
        "brackets in brackets": lambda: b"[" * (n // 2) + b"]" * (n // 2),
        "lines of stamps": lambda: b"[00:00.00]\n" * (n // 11),
        "broken stamps": lambda: b"\n".join(
            draw.choice((b"[00:1x la", b"[:] li", b"[99:99:99] lo", b"[] lu", b"[-1:00]la", "[٣:٣]li".encode()))
            for _ in range(n // 10)
        ),
    }
    name = draw.choice(sorted(made))
    return made[name](), f"{name} ({n})"


def manifest_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    def made_of(*rows: tuple[object, ...], more: tuple[str, ...] = ()) -> bytes:
        good = [(f"g{i}", "a.wav", songs_inputs.text(i)) for i in range(6)]
        return inputs.rows(("id", "audio", "lyrics", *more), *rows, *good)

    words = songs_inputs.text(9)
    path = draw.choice(("../x.wav", "/etc/passwd", "a/../../x", "~/x", "a.wav\0", "x" * 5000, "..", ".", "/dev/zero"))
    start = draw.choice(("nan", "inf", "-1", "1e999", "9" * 5000, "1e-400", "٣", "1_0", "0x1", "1e5"))
    name = draw.choice(("", "../x", "a/b", "a\nb", "\u202e", "x" * 100_000, "g1", "\x1b[2J", ".", "con", "𝄞"))
    made: dict[str, Callable[[], bytes]] = {
        "a path of sound": lambda: made_of(("a", path, words)),
        "a path of lyrics": lambda: made_of(("a", "a.wav", f"{path}.txt")),
        "a path as lyrics": lambda: made_of(("a", "a.wav", path)),
        "no such file": lambda: made_of(("a", "none.wav", words)),
        "a folder": lambda: made_of(("a", "tmp", words)),
        "itself": lambda: made_of(("a", "songs.csv", "songs.csv")),
        "a start": lambda: made_of(("a", "a.wav", words, start), more=("start_s",)),
        "an id": lambda: made_of((name, "a.wav", words)),
        "an unknown column": lambda: made_of(("a", "a.wav", words, "x"), more=(draw.choice(("lyric", "", "x" * 999)),)),
        "a column twice": lambda: made_of(("a", "a.wav", words, words), more=("lyrics",)),
        "long lyrics": lambda: made_of(("a", "a.wav", "la " * 40_000)),
        "lyrics of tags": lambda: made_of(("a", "a.wav", "<a" * 50_000)),
        "lyrics of marks": lambda: made_of(("a", "a.wav", "a" + "\u0301\u0323" * 30_000)),
        "a language": lambda: made_of(("a", "a.wav", words, "../x\x1b[2J"), more=("language",)),
        "the same lyrics": lambda: made_of(*((f"x{i}", "a.wav", words) for i in range(3000))),
        "5,000 songs": lambda: made_of(*((f"x{i}", "a.wav", f"{words} {i}") for i in range(5000))),
        "all without sound": lambda: inputs.rows(("id", "audio", "lyrics"), *((i, "x.wav", words) for i in range(9))),
        "one song": lambda: inputs.rows(("id", "audio", "lyrics"), ("a", "a.wav", words)),
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen


# ---- Tags ----


def _syncsafe(n: int) -> bytes:
    return bytes((n >> shift) & 127 for shift in (21, 14, 7, 0))


def _frame(kind: bytes, content: bytes, flags: bytes = b"\0\0", *, version: int = 3) -> bytes:
    size = _syncsafe(len(content)) if version == 4 else struct.pack(">I", len(content))
    return kind + size + flags + content


def _tag(body: bytes, *, version: int = 3, flags: int = 0) -> bytes:
    return b"ID3" + bytes([version, 0, flags]) + _syncsafe(len(body)) + body


def id3_fields(data: bytes) -> list[Field]:
    """Version, flags and size of an ID3 tag; of its frames sizes, flags and first bytes."""
    start = data.find(b"ID3")
    if start < 0:
        return []
    found: list[Field] = [(start + 3, 1, "big"), (start + 5, 1, "big"), (start + 6, 4, "big"), (start + 9, 1, "big")]
    for frame in re.finditer(b"USLT|TIT2|TCOM", data):
        at = frame.start()
        found += [(at + 4, 4, "big"), (at + 7, 1, "big"), (at + 8, 1, "big"), (at + 9, 1, "big"), (at + 10, 1, "big")]
    return found


def id3_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = data.find(b"ID3")
    size = sum((byte & 127) << shift for byte, shift in zip(data[start + 6 : start + 10], (21, 14, 7, 0), strict=True))
    sound = data[start + 10 + size :]
    lyrics = b"\3eng\0" + songs_inputs.text().encode()
    bomb = (
        zlib.compress(b"\3eng\0" + b"la " * 2**28, 1)
        if draw.random() < 0.3
        else zlib.compress(b"\3eng\0" + bytes(2**28), 9)
    )
    kind = draw.choice((b"USLT", b"TIT2", b"TXXX", b"APIC"))

    def deep(n: int) -> bytes:
        body = _frame(b"TIT2", b"\3a", version=4)
        for _ in range(n):
            body = _frame(b"CHAP", b"a\0" + bytes(16) + body, version=4)
            if len(body) > 2**26:
                break
        return body

    made: dict[str, Callable[[], bytes]] = {
        "a bomb of 2.3": lambda: _tag(_frame(kind, struct.pack(">I", 2**28) + bomb, b"\0\x80")),
        "a bomb of 2.4": lambda: _tag(_frame(kind, _syncsafe(2**27) + bomb, b"\0\x09", version=4), version=4),
        "bombs": lambda: _tag(_frame(kind, struct.pack(">I", 9) + bomb, b"\0\x80") * 12),
        "compressed": lambda: _tag(_frame(b"USLT", struct.pack(">I", len(lyrics)) + zlib.compress(lyrics), b"\0\x80")),
        "encrypted": lambda: _tag(_frame(b"USLT", b"\1" + lyrics, b"\0\x40")),
        "chapters in chapters": lambda: _tag(deep(draw.choice((100, 3000))), version=4),
        "many frames": lambda: _tag(_frame(b"TXXX", b"\3a\0b") * 100_000),
        "many lyrics": lambda: _tag(b"".join(_frame(b"USLT", b"\3eng%d\0la" % i) for i in range(20_000))),
        "long lyrics": lambda: _tag(_frame(b"USLT", b"\3eng\0" + b"la li " * 3_000_000)),
        "a long title": lambda: _tag(_frame(b"USLT", lyrics) + _frame(b"TIT2", b"\3" + b"a" * 20_000_000)),
        "a title of marks": lambda: _tag(
            _frame(b"USLT", lyrics) + _frame(b"TIT2", b"\3" + ("a" + "\u0301\u0323" * 400_000).encode())
        ),
        "a composer of marks": lambda: _tag(
            _frame(b"USLT", lyrics) + _frame(b"TCOM", b"\3" + ("a" + "\u0301\u0323" * 400_000).encode())
        ),
        "lyrics of marks": lambda: _tag(_frame(b"USLT", b"\3eng\0" + ("a" + "\u0301\u0323" * 200_000).encode())),
        "lyrics of stamps": lambda: _tag(_frame(b"USLT", b"\3eng\0" + b"[1" * 500_000)),
        "no coding": lambda: _tag(_frame(b"USLT", b"\x09eng\0" + songs_inputs.text().encode())),
        "half a letter": lambda: _tag(_frame(b"USLT", b"\1eng\xff\xfe\0\0\xff\xfea")),
        "an extended header": lambda: _tag(b"\xff\xff\xff\x7f" + _frame(b"USLT", lyrics), flags=0x40),
        "out of step": lambda: _tag(_frame(b"USLT", lyrics + b"\xff\0" * 50_000), flags=0x80),
        "a tag of 256 MB": lambda: b"ID3\3\0\0\x7f\x7f\x7f\x7f" + _frame(b"USLT", lyrics),
        "a frame of 2^31": lambda: _tag(b"USLT\x7f\xff\xff\xff\0\0" + lyrics),
        "2.2": lambda: b"ID3\2\0\0" + _syncsafe(40) + b"ULT\0\0\x10\0eng\0" + b"la li lo la " + bytes(40),
        "tags in a row": lambda: _tag(_frame(b"TIT2", b"\3a")) * 5000 + _tag(_frame(b"USLT", lyrics)),
        "several texts": lambda: _tag(_frame(b"USLT", lyrics) + _frame(b"TIT2", b"\3" + b"a\0" * 300_000)),
        "genres": lambda: _tag(_frame(b"TCON", b"\0" + b"(1)" * 300_000) + _frame(b"USLT", lyrics)),
        "times": lambda: _tag(_frame(b"USLT", lyrics) + _frame(b"SYLT", b"\3eng\2\1\0" + b"la\0\0\0\0\1" * 50_000)),
        "only a tag": lambda: _tag(_frame(b"USLT", lyrics)),
    }
    name = draw.choice(sorted(made))
    tag = made[name]()
    if data[:3] == b"ID3":
        return tag + (b"" if name == "only a tag" else sound), name
    # A chunk of a RIFF file: its size, and that of the file, are made right.
    whole = data[: start - 4] + struct.pack("<I", len(tag)) + tag + bytes(len(tag) % 2)
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:], name


def ape_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Put a tag of APEv2 behind a sound."""

    def item(key: bytes, value: bytes, kind: int = 0) -> bytes:
        return struct.pack("<II", len(value), kind << 1) + key + b"\0" + value

    def tag(body: bytes, n: int, size: int | None = None) -> bytes:
        return (
            body + b"APETAGEX" + struct.pack("<IIII", 2000, len(body) + 32 if size is None else size, n, 0) + bytes(8)
        )

    start = data.find(b"ID3")
    sound = data[start + 10 :] if start == 0 else data
    made: dict[str, Callable[[], bytes]] = {
        "lyrics": lambda: tag(item(b"Lyrics", songs_inputs.text().encode()), 1),
        "many items": lambda: tag(b"".join(item(b"k%d" % i, b"x") for i in range(100_000)), 100_000),
        "2^32 items": lambda: tag(item(b"Lyrics", b"la"), 2**32 - 1),
        "a size of 2^32": lambda: tag(item(b"Lyrics", b"la"), 1, 2**32 - 1),
        "a value of 2^31": lambda: tag(struct.pack("<II", 2**31, 0) + b"Lyrics\0la", 1),
        "an odd key": lambda: tag(item(b"\xff\0\1", b"la"), 1),
        "bytes": lambda: tag(item(b"Lyrics", bytes(range(256)), 1), 1),
        "a place elsewhere": lambda: tag(item(b"Lyrics", b"file:///etc/passwd", 2), 1),
        "lists": lambda: tag(item(b"Lyrics", b"la\0" * 300_000), 1),
    }
    name = draw.choice(sorted(made))
    return sound + made[name](), f"APEv2: {name}"


def _comments(*comments: bytes, vendor: bytes = b"x", n: int | None = None, length: int | None = None) -> bytes:
    body = struct.pack("<I", len(vendor) if length is None else length) + vendor
    body += struct.pack("<I", len(comments) if n is None else n)
    return body + b"".join(struct.pack("<I", len(each)) + each for each in comments)


def comment_fields(data: bytes) -> list[Field]:
    """Of Vorbis comments the lengths, and how many there are."""
    found: list[Field] = []
    for match in re.finditer(b"lyrics=|title=|composer=", data, re.IGNORECASE):
        found += [(match.start() - 4, 4, "little"), (match.start() - 8, 4, "little")]
    return [field for field in found if field[0] >= 0]


def flac_tags_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Put other comments behind the first block of a FLAC file."""
    lyrics = b"LYRICS=" + songs_inputs.text().encode()

    def block(kind: int, content: bytes, size: int | None = None) -> bytes:
        return bytes([kind]) + struct.pack(">I", (len(content) if size is None else size) & 0xFFFFFF)[1:] + content

    picture = struct.pack(">IIII", 3, 2**31, 2**31, 2**31)
    made: dict[str, Callable[[], bytes]] = {
        "lyrics": lambda: block(4, _comments(lyrics)),
        "2^32 comments": lambda: block(4, _comments(lyrics, n=2**32 - 1)),
        "many comments": lambda: block(4, _comments(*[b"a=b"] * 200_000)),
        "a vendor of 2^32": lambda: block(4, _comments(lyrics, length=2**32 - 1)),
        "long lyrics": lambda: block(4, _comments(b"LYRICS=" + b"la li " * 2_500_000)),
        "lyrics of marks": lambda: block(4, _comments(b"LYRICS=" + ("a" + "\u0301\u0323" * 200_000).encode())),
        "a title of marks": lambda: block(4, _comments(lyrics, b"TITLE=" + ("a" + "\u0301\u0323" * 400_000).encode())),
        "no text": lambda: block(4, _comments(b"LYRICS=\xff\xfe\xff")),
        "no sign": lambda: block(4, _comments(b"LYRICS", lyrics)),
        "an odd key": lambda: block(4, _comments(b"\0\xff=la", b"=la", lyrics)),
        "comments twice": lambda: block(4, _comments(lyrics)) * 2,
        "many blocks": lambda: block(1, b"") * 200_000 + block(4, _comments(lyrics)),
        "a picture of 2^31": lambda: block(6, picture) + block(4, _comments(lyrics)),
        "seek points": lambda: block(3, bytes(18) * 100_000) + block(4, _comments(lyrics)),
        "a cue sheet": lambda: block(5, bytes(395) + b"\xff" + bytes(36)) + block(4, _comments(lyrics)),
        "an unknown block": lambda: block(126, b"x" * 1000) + block(4, _comments(lyrics)),
        "a block of 16 MB": lambda: block(4, _comments(lyrics), 0xFFFFFF),
    }
    name = draw.choice(sorted(made))
    if data[:4] != b"fLaC":
        return flip(draw, data)
    # The comments of the good file follow, so that there may be two.
    return data[:42] + made[name]() + data[42:], name


def ogg_tags_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Put other comments into an Ogg file, over as many pages as they need."""
    lyrics = b"LYRICS=" + songs_inputs.text().encode()
    made: dict[str, Callable[[], bytes]] = {
        "lyrics": lambda: _comments(lyrics),
        "2^32 comments": lambda: _comments(lyrics, n=2**32 - 1),
        "many comments": lambda: _comments(*[b"a=b"] * 100_000),
        "a vendor of 2^32": lambda: _comments(lyrics, length=2**32 - 1),
        "long lyrics": lambda: _comments(b"LYRICS=" + b"la li " * 500_000),
        "lyrics of marks": lambda: _comments(b"LYRICS=" + ("a" + "\u0301\u0323" * 200_000).encode()),
        "no text": lambda: _comments(b"LYRICS=\xff\xfe\xff"),
        "no sign": lambda: _comments(b"LYRICS", lyrics),
        "pages of nothing": lambda: b"",
    }
    name = draw.choice(sorted(made))
    first = data[: data.find(b"OggS", 4)]
    serial = first[14:18]
    packet = b"\x03vorbis" + made[name]() + b"\1"
    pages = b""
    number, least = 1, 20_000 if name == "pages of nothing" else 1
    while packet or number <= least:
        part, packet = packet[: 255 * 255], packet[255 * 255 :]
        laces = b"\xff" * (len(part) // 255) + (bytes([len(part) % 255]) if len(part) < 255 * 255 else b"")
        head = b"OggS\0" + bytes([int(number > 1)]) + bytes(8) + serial + struct.pack("<I", number) + bytes(4)
        pages += head + bytes([len(laces)]) + laces + part
        number += 1
    return first + pages, name


def m4a_tags_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Put other tags at the end of an MP4 file, in an index of their own."""

    def box(kind: bytes, content: bytes, size: int | None = None) -> bytes:
        return struct.pack(">I", (len(content) + 8 if size is None else size) & 0xFFFFFFFF) + kind + content

    def value(content: bytes, kind: int = 1, size: int | None = None) -> bytes:
        return box(b"data", struct.pack(">II", kind, 0) + content, size)

    lyrics = songs_inputs.text().encode()

    def tagged(*items: bytes) -> bytes:
        return box(b"moov", box(b"udta", box(b"meta", bytes(4) + box(b"ilst", b"".join(items)))))

    def deep(n: int, kind: bytes) -> bytes:
        heads = b"".join(struct.pack(">I", 8 * (n - i)) + kind for i in range(n))
        return heads

    made: dict[str, Callable[[], bytes]] = {
        "lyrics": lambda: tagged(box(b"\xa9lyr", value(lyrics))),
        "a kind": lambda: tagged(box(b"\xa9lyr", value(lyrics, draw.choice((0, 2, 13, 21, 2**31))))),
        "a size": lambda: tagged(box(b"\xa9lyr", value(lyrics, 1, draw.choice((0, 1, 7, 15, 2**31, 2**32 - 1))))),
        "a box of a size": lambda: tagged(box(b"\xa9lyr", value(lyrics), draw.choice((0, 1, 7, 2**31)))),
        "no text": lambda: tagged(box(b"\xa9lyr", value(b"\xff\xfe\xff"))),
        "long lyrics": lambda: tagged(box(b"\xa9lyr", value(b"la li " * 3_000_000))),
        "many values": lambda: tagged(box(b"\xa9lyr", value(b"la") * 100_000)),
        "many tags": lambda: tagged(*[box(b"\xa9nam", value(b"a"))] * 50_000),
        "free tags": lambda: tagged(box(b"----", box(b"mean", bytes(4) + b"x") + value(b"la")) * 1000),
        "numbers": lambda: tagged(
            box(b"trkn", value(b"\0", 0)), box(b"cpil", value(b"")), box(b"covr", value(b"x", 99))
        ),
        "boxes in boxes": lambda: deep(draw.choice((200, 20_000)), b"moov"),
        "tags in tags": lambda: deep(draw.choice((200, 20_000)), b"udta"),
        "many boxes": lambda: box(b"moov", box(b"free", b"") * 200_000),
        "chapters": lambda: box(b"moov", box(b"udta", box(b"chpl", bytes(8) + b"\xff" + b"\0" * 300))),
        "a track of no time": lambda: box(b"moov", box(b"trak", box(b"mdia", box(b"mdhd", bytes(24))))),
    }
    name = draw.choice(sorted(made))
    index = data.find(b"moov") - 4
    place = draw.choice(("instead", "before", "behind"))
    if place == "before":
        first = int.from_bytes(data[:4], "big")
        return data[:first] + made[name]() + data[first:], f"{name}, before"
    return (data[:index] if place == "instead" else data) + made[name](), f"{name}, {place}"


# ---- Arrays, wheels, deals, scores ----


def arrays_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write one array of a .npz file anew."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    name = draw.choice(sorted(files))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 5), }\n" % (2**28 // 5)
    odd: dict[str, Callable[[], bytes]] = {
        "1 GB of zeros": lambda: b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(2**30),
        "objects": lambda: inputs.npy(np.array([None, {}] * 4, dtype=object)),
        "a kind": lambda: inputs.npy(
            np.zeros((8, 5), draw.choice(("c16", "S4", "M8[s]", "f2", "b1", "u8", "i1", "V3")))
        ),
        "texts": lambda: inputs.npy(np.array([f"s{i}" for i in range(8)])),
        "long texts": lambda: inputs.npy(np.array(["x" * 1_000_000] + [f"s{i}" for i in range(7)])),
        "no rows": lambda: inputs.npy(np.zeros((0, 5))),
        "no columns": lambda: inputs.npy(np.zeros((8, 0))),
        "a number": lambda: inputs.npy(np.float32(3)),
        "axes": lambda: inputs.npy(np.zeros((8,) + (1,) * 30)),
        "NaN": lambda: inputs.npy(np.full((8, 5), np.nan)),
        "huge": lambda: inputs.npy(np.full((8, 5), 1e300)),
        "the same": lambda: inputs.npy(np.array(["a"] * 8)),
        "nothing": lambda: b"",
        "no array": lambda: b"PK\3\4" + bytes(100),
        "a pickle": lambda: b"cos\nsystem\nX\x07\0\0\0touch x\x85R.",
        "records": lambda: inputs.npy(np.zeros(8, [("a", "f4"), ("b", "U4")])),
        "wide": lambda: inputs.npy(np.zeros((8, 2_000_000), np.float32)),
    }
    what = draw.choice((*sorted(odd), "header", "header", "header", "gone", "twice", "a name"))
    if what == "header":
        files[name], said = npy_header(draw, files[name])
        return inputs.zipped(files), f"{name}: {said}"
    content = files.pop(name)
    if what == "twice":
        files |= {name: content, name.removesuffix(".npy"): content}
    elif what == "a name":
        files[draw.choice(("../x.npy", "x" * 999, "", "a\0.npy", name.upper()))] = content
    elif what != "gone":
        files[name] = odd[what]()
    return inputs.zipped(files), f"{name}: {what}"


def wheel_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    index, facts = "musicnn/MSD_musicnn/.index", "musicnn-0.1.0.dist-info/METADATA"
    changes: dict[str, dict[str, bytes]] = {
        "another version": {facts: b"Name: musicnn\nVersion: 0.1.1\n"},
        "a long version": {facts: b"Version: " + b"9" * 10_000_000},
        "a version of no coding": {facts: b"Version: \xff\x1b[2J\n"},
        "no version": {facts: b"Name: musicnn\n"},
        "blanks for a version": {facts: b"Version:" + b" " * 5_000_000},
        "two versions": {"musicnn-0.2.0.dist-info/METADATA": b"Version: 0.2.0\n"},
        "altered weights": {index: bytes(100)},
        "no weights": {index: b""},
        "large weights": {index: bytes(2**26 + 1)},
        "weights elsewhere": {f"other/{index}": b"x"},
        "code": {"musicnn/__init__.py": b"import os; os.system('touch x')\n"},
    }
    name = draw.choice(sorted(changes))
    return inputs.zipped({**files, **changes[name]}), name


def dealt_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Give deals, or features of deals, other facts, other numbers of deals, or other parts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    facts = json.loads((table.schema.metadata or {}).get(b"unisono", b"{}"))
    column = table.schema.names[1]
    names = table["id"].to_pylist()
    odd = (None, 0, [], {}, "song", {"song": None}, {"song": []}, {"song": 3}, {"song": ["a"]}, {"song": [9]})
    odd += ({"song": [-1]}, {"song": [10**30]}, {"song": [0.5]}, {"song": [True]}, {"song": [[0]]}, {"": [0]})  # type: ignore
    odd += ({"song": [0] * 1000}, {"song": [0, 0]}, {"a\x1b": [0]}, {"song": {"0": 1}}, [["song", [0]]], True)  # type: ignore
    what = draw.choice(("divisions", "divisions", "divisions", "per_deal", "width", "width", "parts", "ids"))
    said = ""
    if what == "divisions":
        facts["divisions"] = draw.choice(odd)
        said = str(facts["divisions"])[:60]
    elif what == "per_deal":
        facts["per_deal"] = draw.choice((not facts.get("per_deal"), 1, "no", [], 0))
        said = str(facts["per_deal"])
    elif what == "width":
        n = draw.choice((1, 3, 5, 100))
        texts = column == "deals"
        rows = [["train", "test"] * 50 if i % 2 else ["test", "train"] * 50 for i in range(12)]
        kind = pa.list_(pa.string() if texts else pa.list_(pa.float32(), 3), n)
        values = [row[:n] for row in rows] if texts else [[[1.0, 2.0, 3.0]] * n] * 12
        if draw.random() < 0.3:
            kind = pa.list_(kind.value_type)
        elif not texts and draw.random() < 0.3:
            kind, values = pa.list_(pa.float32(), 3), [[1.0, 2.0, 3.0]] * 12
        table = table.set_column(1, column, pa.array(values, kind))
        said = str(n)
    elif what == "parts" and column == "deals":
        part = draw.choice(("", "Train", None, "x" * 100_000, "train", "\0"))
        table = table.set_column(
            1, column, pa.array([[part] * 4, *table[column].to_pylist()[1:]], pa.list_(pa.string(), 4))
        )
        said = str(part)[:20]
    else:
        changed = draw.choice(([*names[1:], "none"], [names[1], *names[1:]], names[::-1], [f"x{i}" for i in range(12)]))
        table = table.set_column(0, "id", pa.array(changed))
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"unisono": json.dumps(facts).encode()})
    with io.BytesIO() as file:
        pq.write_table(table, file)
        return file.getvalue(), f"{what} {said}"


_CHORD = "<harmony><root><root-step>{}</root-step>{}</root><kind>{}</kind></harmony>"


def harmony_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Put chord symbols and ties into a score."""
    note = b"<note><pitch>"
    alter = draw.choice(("nan", "1e999", "9" * 5000, "0.5", "-3", "x", "1/0"))
    length = draw.choice((b"1e9", b"9" * 400, b"1e-9"))
    tie = b"<note><tie type='stop'/><tie type='start'/><pitch>"
    made: dict[str, Callable[[], bytes]] = {
        "a root": lambda: data.replace(note, _CHORD.format(draw.choice("HhX \0é"), "", "major").encode() + note, 1),
        "an alteration": lambda: data.replace(
            note, _CHORD.format("C", f"<root-alter>{alter}</root-alter>", "minor").encode() + note, 1
        ),
        "a kind": lambda: data.replace(note, _CHORD.format("C", "", "minor" * 50_000).encode() + note, 1),
        "many chords": lambda: data.replace(note, _CHORD.format("C", "", "major-13th").encode() * 120_000 + note, 1),
        "chords over time": lambda: data.replace(note, _CHORD.format("D", "", "dominant-13th").encode() + note),
        "ties": lambda: data.replace(note, tie),
        "ties without end": lambda: data.replace(note, b"<note><tie type='start'/><pitch>"),
        "long notes": lambda: data.replace(b"<duration>2<", b"<duration>%s<" % length),
        "high notes": lambda: data.replace(b"<octave>4<", b"<octave>%s<" % draw.choice((b"9", b"-1", b"99", b"1e3"))),
        "composers": lambda: data.replace(
            b"<part-list>",
            b"<identification><creator type='composer'>"
            + "a\u0301\u0323".encode() * 200_000
            + b"</creator></identification><part-list>",
        ),
        "parts": lambda: data.replace(b"</score-partwise>", data[data.find(b"<part ") :].replace(b"P1", b"P2")),
    }
    if draw.random() < 0.4:
        return score_made(draw, data)
    name = draw.choice(sorted(made))
    return made[name](), name
