"""Tags of sound files, made anew: ID3, APEv2, Vorbis comments, those of MP4."""

from __future__ import annotations

import functools
import random
import re
import struct
import zlib
from collections.abc import Callable

from fuzzing import songs_inputs
from fuzzing.fields import Field, flip


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


@functools.cache
def _bomb(n: int) -> bytes:
    return zlib.compress(b"\3eng\0" + bytes(n), 1)


def id3_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = data.find(b"ID3")
    size = sum((byte & 127) << shift for byte, shift in zip(data[start + 6 : start + 10], (21, 14, 7, 0), strict=True))
    sound = data[start + 10 + size :]
    lyrics = b"\3eng\0" + songs_inputs.text().encode()
    n = draw.choice((2**27, 2**30))
    kind = draw.choice((b"USLT", b"TIT2", b"TXXX", b"APIC"))

    def deep(depth: int) -> bytes:
        body = _frame(b"TIT2", b"\3a", version=4)
        for _ in range(depth):
            body = _frame(b"CHAP", b"a\0" + bytes(16) + body, version=4)
            if len(body) > 2**26:
                break
        return body

    made: dict[str, Callable[[], bytes]] = {
        "a bomb of 2.3": lambda: _tag(_frame(kind, struct.pack(">I", 2**28) + _bomb(n), b"\0\x80")),
        "a bomb of 2.4": lambda: _tag(_frame(kind, _syncsafe(2**27) + _bomb(n), b"\0\x09", version=4), version=4),
        "bombs": lambda: _tag(_frame(kind, struct.pack(">I", 9) + _bomb(n), b"\0\x80") * 12),
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
