"""JPEGs with a clip after their end, openclipart, built data sets and ready-made shards."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from tests.datasets import image2song as small
from tests.datasets.test_image2song_build import LITTLE, Built
from unisono.config.image2song import OpenClipart
from unisono.datasets.image2song import built, fortunes, openclipart, shuttersong
from unisono.datasets.image2song.emoji import series_of
from unisono.datasets.image2song.lemmas import Lemmas, stop_words
from unisono.datasets.image2song.packages import version
from unisono.errors import DataError
from unisono.io import parquet


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    """Build with some settings changed."""
    return lambda changes: Built(tmp_path, LITTLE | changes)


def sound(kind: str = "MP3", seconds: float = 2.0) -> bytes:
    """A tone as a file."""
    made = io.BytesIO()
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(16_000 * seconds)) / 16_000)
    soundfile.write(made, tone.astype(np.float32), 16_000, format=kind)
    return made.getvalue()


def jpeg(seed: int = 0, *, progressive: bool = False) -> bytes:
    return small.encoded(small.pixels(seed, 64), "JPEG", progressive=progressive, quality=90)


def with_thumbnail(seed: int = 0) -> bytes:
    """A JPEG whose EXIF segment holds a JPEG, with an end-of-image marker of its own, and a comment with another."""
    inner = b"Exif\0\0" + jpeg(5) + b"\xff\xd9"
    comment = b"\xff\xd9 no end \xff\xd9"
    segments = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in ((0xE1, inner), (0xFE, comment))
    )
    plain = jpeg(seed)
    return plain[:2] + segments + plain[2:]


ID3 = b"ID3\x03\0\0\0\0\0\0"
M4A = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(64)


@pytest.mark.parametrize(
    ("content", "kind", "clip"),
    [
        (jpeg() + ID3 + b"x", ".mp3", ID3 + b"x"),
        (jpeg(progressive=True) + b"\xff\xfb\x90\x00x", ".mp3", b"\xff\xfb\x90\x00x"),
        (with_thumbnail() + M4A, ".m4a", M4A),
        (jpeg() + bytes(9) + ID3, ".mp3", ID3),
        (jpeg() + bytes(9) + M4A, ".m4a", M4A),
        (jpeg() + ID3 + b"\xff\xd9" * 9, ".mp3", ID3 + b"\xff\xd9" * 9),
        (jpeg() + b"RIFF\0\0\0\0WAVEfmt ", ".wav", b"RIFF\0\0\0\0WAVEfmt "),
        (jpeg(), "nothing", b""),
        (with_thumbnail(), "nothing", b""),
        (jpeg() + b"\0\0\r\n", "nothing", b""),
        (jpeg() + b"PK\x03\x04 an archive", "something else", b""),
        (jpeg() + b"nonsense \xff\xd9 ID3", "something else", b""),
        (jpeg()[:-40], "no end", b""),
        (b"\xff\xd8\xff\xe0\x00\x00", "no end", b""),
        (b"\xff\xd8" + b"\xff" * 50, "no end", b""),
        (small.encoded(small.pixels(0)), "no JPEG", b""),
        (b"", "no JPEG", b""),
    ],
)
def test_a_clip_is_what_follows_the_end_of_the_picture(content: bytes, kind: str, clip: bytes) -> None:
    assert shuttersong.split(content) == (kind, clip)


def test_the_end_of_a_thumbnail_is_none() -> None:
    content = with_thumbnail()
    assert content.count(b"\xff\xd9") > 3
    assert shuttersong.end_of(content + ID3) == len(content)


def test_a_folder_of_such_files_says_what_was_found(build: Callable[..., Built], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    files = {
        "mp3.jpg": with_thumbnail(0) + sound("MP3"),
        "flac.jpg": jpeg(1) + sound("FLAC"),
        "none.jpg": jpeg(2),
        "garbage.jpg": jpeg(3) + b"nonsense" * 9,
        "broken.jpg": jpeg(4) + ID3 + b"no frames" * 9,
        "cut.jpg": jpeg(6)[:400],
        "unknown.jpg": jpeg(7),
    }
    for name, content in files.items():
        (raw / name).write_bytes(content)
    listed = [name for name in files if name != "unknown.jpg"]
    small.write(raw / "songs.csv", [{"image": name, "lyric": small.lyric(i, "cat")} for i, name in enumerate(listed)])
    made = build({
        "source": "shuttersong", "pictures.shuttersong.location": str(raw), "pictures.max_skipped_fraction": 0.5,
    })  # fmt: skip
    assert made.facts["n_pictures"] == made.facts["n_songs"] == 5
    assert made.facts["read"]["clips"] == {".flac": 1, ".mp3": 2, "no end": 1, "nothing": 1, "something else": 1}
    assert "found after the ends of the JPEG files: 1 .flac, 2 .mp3, 1 no end" in made.facts["told"][0]
    left = made.left()
    assert left["none.jpg"] == ("no clip", "nothing after the picture")
    assert left["garbage.jpg"] == ("no clip", "something else after the picture")
    assert left["broken.jpg"][0] == "no sound"
    assert left["unknown.jpg"] == ("not listed", "songs.csv does not name it")
    assert left["picture/cut.jpg"][0] == "broken"
    sounds = parquet.read(made.folder / "audio").to_pylist()
    assert len(sounds) == 2
    samples, rate = soundfile.read(io.BytesIO(sounds[0]["audio"]["bytes"]))
    assert (rate, len(samples)) == (22_050, 30 * 22_050)
    assert not [row for row in made.rows if row["part"] == "image" and b"ID3" in row["image"]["bytes"]]


def test_a_folder_needs_one_list(build: Callable[..., Built], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 CSV files in it, expected one with image, lyric and song"):
        build({"source": "shuttersong", "pictures.shuttersong.location": str(tmp_path)})


# ---- openclipart ----

SVG = """<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://web.resource.org/cc/"><metadata><rdf:RDF><cc:Work>
 <dc:title>By Somebody</dc:title><dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>
 <cc:license rdf:resource="{licence}"/></cc:Work></rdf:RDF></metadata><script>alert(1)</script></svg>"""
PUBLIC = "http://web.resource.org/cc/PublicDomain"


def clipart(folder: Path, files: dict[str, tuple[str, ...]], licence: str = PUBLIC) -> OpenClipart:
    """Both packages' folders with some drawings."""
    for number, (name, words) in enumerate(files.items()):
        for kind in ("png", "svg"):
            (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "png" / f"{name}.png").write_bytes(small.encoded(small.pixels(number)))
        items = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
        (folder / "svg" / f"{name}.svg").write_text(SVG.format(words=items, licence=licence), encoding="utf-8")
    shipped = small.params().pictures.openclipart
    return shipped.model_copy(update={"png": str(folder / "png"), "svg": str(folder / "svg")})


def test_drawings_with_their_keywords(tmp_path: Path) -> None:
    source = clipart(
        tmp_path,
        {
            "animals/cat_01": ("cat", "hash", "HASH(0x8a07754)", "&lt;b&gt;small&lt;/b&gt; animal"),
            "animals/cat_02": ("cat",),
            "animals/nothing": (),
            "computer/icons/icon": ("computer",),
            "signs_and_symbols/flags/flag": ("flag",),
        },
    )
    (tmp_path / "png/animals/again.png").symlink_to(tmp_path / "png/animals/cat_02.png")
    (tmp_path / "png/animals/alone.png").write_bytes(small.encoded(small.pixels(9)))
    (tmp_path / "outside.png").write_bytes(small.encoded(small.pixels(10)))
    (tmp_path / "png/animals/out.png").symlink_to(tmp_path / "outside.png")
    found = openclipart.read(source)
    assert [picture.id for picture in found.pictures] == [f"openclipart/animals/cat_0{i}" for i in (1, 2)]
    assert found.pictures[0].words == ("cat", "small animal")
    assert (found.pictures[0].title, found.pictures[0].series) == ("cat", "cat")
    assert found.pictures[0].licence == "public domain"
    assert {each.item: each.kind for each in found.left} == {
        "animals/again.png": "repeated",
        "animals/alone.png": "no keywords",
        "animals/nothing.png": "no keywords",
        "animals/out.png": "repeated",
    }
    assert "2 more lie in folders" in found.told[0]


def test_a_missing_package_of_drawings_is_named(tmp_path: Path) -> None:
    source = clipart(tmp_path, {"a/cat": ("cat",)})
    with pytest.raises(DataError, match="apt-get install openclipart-svg"):
        openclipart.read(source.model_copy(update={"svg": str(tmp_path / "none")}))
    with pytest.raises(DataError, match="apt-get install openclipart-png"):
        openclipart.read(source.model_copy(update={"png": str(tmp_path / "none")}))
    with pytest.raises(DataError, match="no drawing with keywords in it"):
        openclipart.read(source.model_copy(update={"left_out": ("a",)}))


def test_a_hostile_drawing_has_no_keywords(tmp_path: Path) -> None:
    source = clipart(tmp_path, {"a/cat": ("cat",), "a/bomb": ("dog",), "a/cut": ("dog",)})
    bomb = '<!DOCTYPE svg [<!ENTITY a "aa">]><svg>&a;</svg>'
    (tmp_path / "svg/a/bomb.svg").write_text(bomb, encoding="utf-8")
    (tmp_path / "svg/a/cut.svg").write_text("<svg><metadata>", encoding="utf-8")
    found = openclipart.read(source)
    assert [picture.title for picture in found.pictures] == ["cat"]
    assert sorted(each.item for each in found.left) == ["a/bomb.png", "a/cut.png"]


# ---- songs of the other data sets ----


def songs(folder: Path, **facts: Any) -> Path:
    """A built data set of three songs, two in English."""
    rows = {
        "id": ["a", "a2", "b", "c"], "song": ["a", "a", "b", "c"], "title": ["A", "A", "B", "C"],
        "text": ["one text", "one text", "another text", "ein Text"], "language": ["en", "en", "en", "de"],
    }  # fmt: skip
    parquet.write(
        folder / "samples/part-00000.parquet", rows, types=dict.fromkeys(rows, pa.string()),
        metadata={"source": "music21", "licences": {"bach": "public domain"}, "free_text": True, **facts},
    )  # fmt: skip
    types = {"id": pa.string(), "audio": parquet.MEDIA}
    parquet.write(
        folder / "audio/part-00000.parquet", {"id": ["b"], "audio": [(b"fLaC", "b.flac")]}, types=types,
        metadata={"sample_rate": 22_050},
    )  # fmt: skip
    return folder


def test_songs_with_their_sound(tmp_path: Path) -> None:
    found = built.songs("en", songs(tmp_path))
    assert [(song.id, song.text, song.sound) for song in found.songs] == [
        ("songs/a", "one text", b""),
        ("songs/b", "another text", b"fLaC"),
    ]
    assert [(each.item, each.kind) for each in found.left] == [("a2", "repeated"), ("c", "language")]
    assert (found.facts, found.sample_rate) == ({"songs": "music21", "free_text": True}, 22_050)
    assert found.licences == {f"{tmp_path.name}: bach": "public domain"}
    with pytest.raises(DataError, match="no song in that language"):
        built.songs("fr", tmp_path)
    with pytest.raises(DataError, match="no such file; run the stage that writes it"):
        built.songs("en", tmp_path / "none")


def test_songs_of_features_have_no_words(tmp_path: Path) -> None:
    types = {"id": pa.string(), "audio": parquet.vector(2)}
    parquet.write(tmp_path / "samples/part-00000.parquet", {"id": ["a"], "audio": [[1, 2]]}, types=types)
    with pytest.raises(DataError, match="songs without words"):
        built.songs("en", tmp_path)


def test_samples_are_put_together(tmp_path: Path) -> None:
    sung = "the sea is calm tonight and all the stars are bright above the quiet land of mine"
    text = sung.split(" ")
    rows = {
        "id": ["s-2", "s-1"], "song": ["s", "s"], "title": ["S", "S"], "part": ["voice", "voice"], "window": [1, 0],
        "words": [text[8:], text[:8]], "word_index": [list(range(len(text) - 8)), list(range(8))],
    }  # fmt: skip
    types = {
        **dict.fromkeys(("id", "song", "title", "part"), pa.string()), "window": pa.int32(),
        "words": pa.list_(pa.string()), "word_index": pa.list_(pa.int32()),
    }  # fmt: skip
    parquet.write(tmp_path / "samples/part-00000.parquet", rows, types=types, metadata={"source": "musicxml"})
    (song,) = built.mtm("en", tmp_path).songs
    assert (song.id, song.text) == ("mtm/s", " ".join(text))


# ---- ready-made shards ----


def ready(folder: Path, rows: list[dict[str, Any]], **more: pa.DataType) -> Path:
    types = {**dict.fromkeys(("id", "part", "text"), pa.string()), "image": parquet.MEDIA, **more}
    columns = {name: [row[name] for row in rows] for name in types}
    parquet.write(folder / "mine.parquet", columns, types=types)
    return folder


def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(12):
        thing = small.THINGS[number % 3]
        content = (small.encoded(small.pixels(number)), "x.png")
        found.append({"id": f"p{number}", "part": "image", "text": "", "image": content, "words": [thing]})
        text = small.lyric(number, thing)
        found.append({"id": f"s{number}", "part": "lyrics", "text": text, "image": (b"", ""), "words": []})
    return found


WORDS = pa.list_(pa.string())


def test_ready_made_shards_fit_by_keywords(build: Callable[..., Built], tmp_path: Path) -> None:
    made = build({"source": "parquet", "pictures.parquet.location": str(ready(tmp_path / "raw", rows(), words=WORDS))})
    assert (made.facts["source"], made.facts["n_pictures"], made.facts["n_songs"]) == ("parquet", 12, 12)
    made.deal()
    facts = made.label()
    assert facts["rule"] == "keyword"
    assert facts["over_all"]["n_tags"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": "picture"}, "row 0: part is 'picture', expected image or lyrics"),
        ({"id": ""}, "row 0: id is '', expected a name"),
        ({"id": "s0"}, "id 's0' occurs 2 times"),
        ({"image": (b"", "")}, "row 0: image has no bytes"),
        ({"pair": "x"}, "1 of 24 rows have a pair; give it to all of them, or to none"),
    ],
)
def test_wrong_shards_are_one_line(
    build: Callable[..., Built], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    found = [{"pair": "", **row} for row in rows()]
    found[0] |= change
    place = ready(tmp_path / "raw", found, words=WORDS, pair=pa.string())
    with pytest.raises(DataError, match=message):
        build({"source": "parquet", "pictures.parquet.location": str(place)})


def test_shards_without_songs_or_columns_are_one_line(build: Callable[..., Built], tmp_path: Path) -> None:
    place = ready(tmp_path / "raw", [row for row in rows() if row["part"] == "image"], words=WORDS)
    with pytest.raises(DataError, match="12 pictures and 0 songs; some of both are needed"):
        build({"source": "parquet", "pictures.parquet.location": str(place)})
    parquet.write(tmp_path / "x/a.parquet", {"id": ["a"]}, types={"id": pa.string()})
    with pytest.raises(DataError, match="no column 'part'; an item has id, part, image, text"):
        build({"source": "parquet", "pictures.parquet.location": str(tmp_path / "x")})


# ---- small things ----


def test_titles_and_texts_of_fortunes(tmp_path: Path) -> None:
    path = tmp_path / "poems"
    texts = ["_\bO_\bn_\be two three four five six seven\n\t-- A\n", 'x\n\t\t-- B, "A title"\n']
    path.write_text("%\n".join(texts), encoding="utf-8")
    shipped = small.params().songs.fortunes.model_copy(update={"location": str(path)})
    first, second = fortunes.read(shipped).songs
    assert (first.title, first.text) == ("One two three four five six …", "One two three four five six seven")
    assert (second.title, second.text) == ("A title", "x")


def test_lemmas_are_bounded_and_stop_words_known() -> None:
    lemmas = Lemmas("en")
    assert lemmas.of("x" * 100 + " a roses’ I I'll 3rd") == ["rose", "i'll", "rd"]
    assert lemmas.distinct(["cats and dogs", "dog"]) == ("cat", "and", "dog")
    assert "the" in stop_words("en")
    assert "der" in stop_words("de")
    assert stop_words("xx") == frozenset()


def test_series_hold_variants_alone() -> None:
    assert series_of("woman: blond hair") == series_of("person: blond hair")
    assert series_of("light skin tone") == series_of("dark skin tone")
    assert series_of("woman") != series_of("man")
    assert series_of("cat") != series_of("dog")


def test_versions_of_packages(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: other\nStatus: install ok installed\nVersion: 1\n\n"
        "Package: fortunes\nStatus: install ok installed\nPriority: optional\nVersion: 1:1.99\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 2\n",
        encoding="utf-8",
    )
    assert (version("fortunes", status), version("gone", status), version("x", status)) == (
        "1:1.99",
        "unknown",
        "unknown",
    )
    assert version("fortunes", tmp_path / "none") == "unknown"
