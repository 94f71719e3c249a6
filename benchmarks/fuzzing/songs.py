"""Lyrics, lists of songs, arrays, deals, wheels and scores, made anew."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable

import numpy as np

from fuzzing import inputs, songs_inputs
from fuzzing.arrays import npy_header
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
