"""Small good files of everything that pictures and their songs are read from, and harm for them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from fuzzing import inputs, songs_inputs

#: Characters with the keywords of the good file.
EMOJI = {"🐱": "cat | thing", "🐶": "dog | thing", "🏠": "house | thing", "🌕": "moon | thing"}
THINGS = ("cat", "dog", "house", "moon")


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    import io

    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(file, kind)
        return file.getvalue()


def pictures() -> list[bytes]:
    return [*inputs.pictures(), picture()]


def lyric(number: int) -> str:
    return f"{songs_inputs.text(number)} {THINGS[number % 4]} thing"


def keywords() -> list[bytes]:
    entry = '<annotation cp="{0}">{1}</annotation><annotation cp="{0}" type="tts">{1}</annotation>'
    lines = "".join(entry.format(text, words) for text, words in EMOJI.items())
    head = '<?xml version="1.0" encoding="UTF-8" ?><!DOCTYPE ldml SYSTEM "../../common/dtd/ldml.dtd">'
    return [f"{head}<ldml><annotations>{lines}</annotations></ldml>".encode()]


def poems() -> list[bytes]:
    return ["%\n".join(f'{lyric(i)}\n\t\t-- Somebody, "Song {i}"\n' for i in range(8)).encode()]


def drawing() -> list[bytes]:
    return [
        b"""<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:cc="http://web.resource.org/cc/"><metadata><rdf:RDF>
<cc:Work><dc:subject><rdf:Bag><rdf:li>cat</rdf:li><rdf:li>small animal</rdf:li></rdf:Bag></dc:subject>
<cc:license rdf:resource="http://web.resource.org/cc/PublicDomain"/></cc:Work></rdf:RDF></metadata></svg>"""
    ]


def manifest() -> list[bytes]:
    header = ("image", "lyric", "song", "tags", "clip", "title")
    full = [(f"p{i}.png", lyric(i // 2), f"s{i // 2}", f"{THINGS[i // 2 % 4]};thing", "", "T") for i in range(12)]
    return [inputs.rows(header, *full), inputs.rows(header[:2], *((f"p{i}.png", lyric(i)) for i in range(6)))]


def with_clip() -> list[bytes]:
    from unisono.datasets.image2song import shuttersong

    tone = inputs.encoded(songs_inputs.tone(), 8000, "FLAC")
    found = [picture(1, "JPEG") + tone, picture(2, "JPEG") + b"ID3\x03\0\0\0\0\0\0" + bytes(99), picture(3, "JPEG")]
    assert shuttersong.split(found[0])[0] == ".flac"
    return found


def shards() -> list[bytes]:
    import pyarrow as pa

    from unisono.io import parquet

    n = 8
    columns: dict[str, Any] = {
        "id": [*(f"p{i}" for i in range(n)), *(f"s{i}" for i in range(n))],
        "part": ["image"] * n + ["lyrics"] * n,
        "image": [*((picture(i), "x.png") for i in range(n)), *[(b"", "")] * n],
        "text": [*[""] * n, *(lyric(i) for i in range(n))],
        "words": [*([THINGS[i % 4], "thing"] for i in range(n)), *[[]] * n],
        "group": [*(f"g{i}" for i in range(n)), *[""] * n],
    }
    kinds: dict[str, Any] = {**dict.fromkeys(("id", "part", "text", "group"), pa.string()), "image": parquet.MEDIA}
    return [inputs.table(columns, kinds | {"words": pa.list_(pa.string())})]


def keywords_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Make files of keywords that nobody would."""
    entry = '<annotation cp="{}">{}</annotation>'
    bomb = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "aaaa"}">' for i in range(9))
    made: dict[str, Callable[[], str]] = {
        "entities": lambda: f"<!DOCTYPE ldml [{bomb}]><ldml>{entry.format('x', '&a8;')}</ldml>",
        "another file": lambda: (
            f'<!DOCTYPE ldml [<!ENTITY x SYSTEM "file:///etc/passwd">]><ldml>{entry.format("x", "&x;")}</ldml>'
        ),
        "a million words": lambda: f"<ldml>{entry.format('🐱', 'cat | ' * 500_000)}</ldml>",
        "a long word": lambda: f"<ldml>{entry.format('🐱', 'c' * 5_000_000)}</ldml>",
        "marks": lambda: f"<ldml>{entry.format('🐱', 'a' + chr(0x301) * 100_000)}</ldml>",
        "long characters": lambda: f"<ldml>{entry.format('🐱' * 100_000, 'cat')}</ldml>",
        "a million entries": lambda: f"<ldml>{entry.format('🐱', 'cat') * 200_000}</ldml>",
        "depth": lambda: "<ldml>" + "<a>" * 100_000 + "</a>" * 100_000 + "</ldml>",
        "attributes": lambda: "<ldml " + " ".join(f'a{i}="x"' for i in range(100_000)) + "/>",
        "control characters": lambda: f"<ldml>{entry.format('&#x202e;&#x7;', '&#x1b;[2J | cat')}</ldml>",
        "no keywords": lambda: "<ldml/>",
        "another encoding": lambda: '<?xml version="1.0" encoding="utf-7"?><ldml/>',
        "combined": lambda: f"<ldml>{entry.format('🐱' + chr(0x200D) * 30, 'cat')}</ldml>",
    }
    chosen = draw.choice(sorted(made))
    return made[chosen]().encode("utf-8", "replace"), chosen


def pictures_listed(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Make lists of pictures that nobody would."""
    header = ("image", "lyric", "song", "tags", "split", "clip")
    good = [(f"p{i % 12}.png", lyric(i), f"s{i}", "cat", "", "") for i in range(6)]
    path = draw.choice(("../x.png", "/etc/passwd", "~/x", "p0.png\0", "x" * 5000, "..", ".", "/dev/zero", "tmp", ""))
    cell = draw.choice(
        ("\x1b[2J", "\u202e", "x" * 100_000, "<script>alert(1)</script>", "a" + "\u0301" * 50_000, "=1+1")
    )
    made: dict[str, Callable[[], bytes]] = {
        "a path of a picture": lambda: inputs.rows(header, (path, lyric(9), "a", "", "", ""), *good),
        "a path of a lyric": lambda: inputs.rows(header, ("p0.png", f"{path}.txt", "a", "", "", ""), *good),
        "a path of a clip": lambda: inputs.rows(header, ("p0.png", lyric(9), "a", "", "", path), *good),
        "a song": lambda: inputs.rows(header, ("p0.png", lyric(9), cell, "", "", ""), *good),
        "tags": lambda: inputs.rows(header, ("p0.png", lyric(9), "a", ";".join([cell] * 9), "", ""), *good),
        "a hundred thousand tags": lambda: inputs.rows(header, ("p0.png", lyric(9), "a", "x;" * 50_000, "", ""), *good),
        "a lyric": lambda: inputs.rows(header, ("p0.png", cell * 3, "a", "", "", ""), *good),
        "a split": lambda: inputs.rows(header, ("p0.png", lyric(9), "a", "", cell, ""), *good),
        "two lyrics": lambda: inputs.rows(header, ("p0.png", lyric(9), "s1", "", "", ""), *good),
        "2,000 rows": lambda: inputs.rows(header[:2], *((f"p{i % 12}.png", lyric(i)) for i in range(2000))),
        "one song": lambda: inputs.rows(header[:2], *((f"p{i}.png", lyric(1)) for i in range(12))),
        "an unknown column": lambda: inputs.rows(("image", "lyric", cell), ("p0.png", lyric(1), "x")),
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen


def clips_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Make JPEG files with odd segments and ends."""
    start, end = data[:2], data[2:]

    def segment(marker: int, body: bytes, size: int | None = None) -> bytes:
        return b"\xff" + bytes([marker]) + (len(body) + 2 if size is None else size).to_bytes(2, "big") + body

    made: dict[str, Callable[[], bytes]] = {
        "an end in a comment": lambda: start + segment(0xFE, b"\xff\xd9" * 99) + end,
        "a length of nothing": lambda: start + segment(0xFE, b"", draw.choice((0, 1))) + end,
        "a length beyond the end": lambda: start + segment(0xFE, b"x", 65_535),
        "a million comments": lambda: start + segment(0xFE, b"") * 300_000 + end,
        "fill bytes": lambda: start + b"\xff" * 1_000_000 + end,
        "a scan without end": lambda: data[:300] + b"\xff\x00" * 1_000_000,
        "restarts": lambda: data[:300] + b"\xff\xd0" * 1_000_000 + b"\xff\xd9",
        "zeros": lambda: data + bytes(3_000_000),
        "an archive": lambda: data + inputs.zipped({"clip.mp3": bytes(99)}),
        "a picture": lambda: data + data,
        "a box of two gigabytes": lambda: data + b"\x7f\xff\xff\xffftypM4A " + bytes(99),
        "tags of a gigabyte": lambda: data + b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(99),
        "frames of nothing": lambda: data + b"\xff\xfb\x90\x00" * 9,
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen
