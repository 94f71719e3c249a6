"""From every source to shards, list and summary; categories, groups, and what is told of one class or one song."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.datasets.songs import PARAMS, TEXTS, note, params, score, sung, tone
from tests.datasets.test_mtm_lmd import array, npy
from unisono.datasets import words
from unisono.datasets.base import dataset_of
from unisono.datasets.songs import build as building
from unisono.errors import DataError, UnisonoError
from unisono.io import parquet
from unisono.media import midi

REPOSITORY = PARAMS.parent


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Build from a source into ``tmp_path/out``."""

    def run(source: str, **changes: Any) -> dict[str, Any]:
        return building.build(
            params({"source": source} | changes),
            out=tmp_path / "out/samples",
            skipped=tmp_path / "skipped.csv",
            summary=tmp_path / "summary.json",
        )

    return run


def listed(tmp_path: Path) -> dict[str, tuple[str, str]]:
    with (tmp_path / "skipped.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: (row["kind"], row["reason"]) for row in csv.DictReader(file)}


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read(tmp_path / "out/samples").to_pylist()
    return found


def scores(folder: Path, n: int = 4) -> Path:
    """A folder of songs with a text and a melody of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (folder / f"song{i}.xml").write_bytes(sung(TEXTS[i], leap=i + 1))
    return folder


# ---- the default source ----


@pytest.fixture(scope="module")
def music21(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default source, built once."""
    place = tmp_path_factory.mktemp("songs")
    out, skipped, summary = place / "out/samples", place / "skipped.csv", place / "summary.json"
    building.build(params({}), out=out, skipped=skipped, summary=summary)
    return place


def test_music21_counts(music21: Path) -> None:
    facts = json.loads((music21 / "summary.json").read_text(encoding="utf-8"))
    assert (facts["n_samples"], facts["n_songs"], facts["largest_song"]) == (415, 231, 30)
    assert facts["files"]["n_skipped"] == {"no lyrics": 82, "too short": 28}
    assert facts["categories"]["collection"] == {"bach": 321, "songs": 12, "trecento": 82}
    assert facts["categories"]["language"] == {"de": 324, "en": 4, "it": 18, "la": 69}
    assert parquet.metadata(music21 / "out/samples")["categories"] == ["collection", "language", "composer", "mode"]
    assert set(facts["categories"]["mode"]) == {"major", "minor"}


def test_of_music21_only_the_gloria_holds_more_than_a_twentieth(music21: Path) -> None:
    """Thirty composers set the same words, whole: by them they are one song."""
    songs = Counter((row["song"]) for row in rows(music21))
    large = [song for song, n in songs.items() if n > 0.05 * songs.total()]
    assert len(large) == 1
    assert all("et in terra pax" in row["text"].lower() for row in rows(music21) if row["song"] == large[0])


def test_music21_is_the_same_twice(music21: Path, tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    build("music21", **{"pieces.music21.collections": ["songs"]})
    again = {row["file"]: row for row in rows(tmp_path)}
    before = {row["file"]: row for row in rows(music21) if row["collection"] == "songs"}
    assert {file: row["midi"] for file, row in again.items()} == {file: row["midi"] for file, row in before.items()}
    assert before["schubert/Lindenbaum.xml"]["language"] == "de"
    assert len({note.program for note in midi.decode_score(before["schubert/Lindenbaum.xml"]["midi"])}) == 2


# ---- the other sources ----


def test_several_locations_are_collections(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    one, two = scores(tmp_path / "one", 2), tmp_path / "two"
    two.mkdir()
    notes = "".join(note("CEGBDFA"[i % 7], text=word) for i, word in enumerate(TEXTS[3].split()))
    (two / "song0.xml").write_bytes(score(notes, composer="Somebody (1900-1950)"))
    build("musicxml", **{"pieces.musicxml.locations": [str(one), str(two)]})
    assert [(row["id"], row["collection"], row["composer"]) for row in rows(tmp_path)] == [
        ("one-song0", "one", ""),
        ("one-song1", "one", ""),
        ("two-song0", "two", "Somebody"),
    ]


def test_songs_by_their_words_and_label(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = scores(tmp_path / "mine", 3)
    (folder / "again.xml").write_bytes(sung(f"now {TEXTS[0]}", leap=6))
    (folder / "short.xml").write_bytes(sung("la " * 19))
    (folder / "none.xml").write_bytes(score("<note><rest/><duration>1</duration></note>"))
    facts = build("musicxml", label="mode", **{"pieces.musicxml.locations": [str(folder)]})
    found = {row["id"]: row for row in rows(tmp_path)}
    assert found["again"]["song"] == found["song0"]["song"] == "again"
    assert (facts["n_samples"], facts["n_songs"], facts["largest_song"]) == (4, 3, 2)
    assert listed(tmp_path) == {
        "short.xml": ("too short", "19 words, 20 are needed"),
        "none.xml": ("no lyrics", "no note has a syllable"),
    }
    assert all(row["label"] == row["mode"] for row in found.values())
    assert all(row["kind"] == f"mine/{row['language']}" for row in found.values())
    assert found["song0"]["text"] == TEXTS[0]
    assert found["song0"]["n_words"] == 24
    assert "2 of 6 files have fewer than 20 words" in facts["left_out"][0]


def test_one_class_only_is_told(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    facts = build("musicxml", label="collection", **{"pieces.musicxml.locations": [str(scores(tmp_path / "mine"))]})
    assert facts["n_classes"] == 1
    assert facts["left_out"][-1].startswith("all songs are of one class of `collection`")
    assert parquet.metadata(tmp_path / "out/samples")["left_out"] == facts["left_out"]


def test_lmd(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = tmp_path / "data/melodies"
    folder.mkdir(parents=True)
    (folder / "a.npy").write_bytes(npy(array([[word] for word in TEXTS[0].split()])))
    (folder / "b.npy").write_bytes(npy(array([["la", "li"]] * 19)))
    (folder / "c.npy").write_bytes(b"no array")
    changes = {"pieces.lmd.location": str(tmp_path / "data"), "pieces.lmd.folder": "melodies"}
    facts = build("lmd", **changes, **{"pieces.max_skipped_fraction": 0.5})
    assert [(row["title"], row["text"]) for row in rows(tmp_path)] == [("a", TEXTS[0])]
    assert not facts["free_text"]
    assert {file: kind for file, (kind, _) in listed(tmp_path).items()} == {
        "melodies/b.npy": "too short",
        "melodies/c.npy": "broken",
    }
    with pytest.raises(
        DataError, match=r"1 of 3 files are broken, more than songs\.pieces\.max_skipped_fraction 0\.05"
    ):
        build("lmd", **changes)


def test_a_folder_of_sound(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    for name, text in (("pop/a", TEXTS[0]), ("pop/b", ""), ("folk/c", TEXTS[1])):
        tone(tmp_path / f"in/{name}.wav")
        (tmp_path / f"in/{name}.txt").write_text(text, encoding="utf-8")
    build("folder", **{"pieces.folder.location": str(tmp_path / "in"), "audio.start_s": 0.5})
    assert [(row["id"], row["collection"], row["start_s"]) for row in rows(tmp_path)] == [
        ("folk-c", "folk", 0.5),
        ("pop-a", "pop", 0.5),
    ]
    assert all(Path(row["location"]).is_file() for row in rows(tmp_path))
    assert "midi" not in rows(tmp_path)[0]
    assert listed(tmp_path) == {"pop/b.wav": ("no lyrics", "no words")}


def test_a_manifest(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    tone(tmp_path / "in/a.wav")
    lines = ["id,audio,lyrics,label,start_s,language", f"x,a.wav,{TEXTS[0]},happy,1.5,xx", f"y,a.wav,{TEXTS[1]},sad,,"]
    (tmp_path / "in/songs.csv").write_text("\n".join(lines), encoding="utf-8")
    build("manifest", **{"pieces.manifest.list": str(tmp_path / "in/songs.csv")})
    assert [(r["id"], r["label"], r["start_s"]) for r in rows(tmp_path)] == [("x", "happy", 1.5), ("y", "sad", 0.0)]
    assert rows(tmp_path)[0]["language"] == "xx"


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_features_of_ones_own(kind: str, tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    rng = np.random.default_rng(0)
    columns = {
        "id": np.array(["a", "b", "c"]),
        "audio": rng.normal(size=(3, 5)).astype(np.float32),
        "lyrics": rng.normal(size=(3, 2)).astype(np.float32),
        "song": np.array(["s", "s", "t"]),
        "label": np.array(["happy", "sad", "sad"]),
    }
    path = tmp_path / f"mine.{kind}"
    if kind == "npz":
        np.savez(path, **columns)  # type: ignore[arg-type]
    else:
        types = {"id": pa.string(), "audio": parquet.vector(5), "lyrics": parquet.vector(2)}
        parquet.write(path, columns, types=types | {"song": pa.string(), "label": pa.string()})
    facts = build("features", **{"pieces.features.location": str(path)})
    assert (facts["n_samples"], facts["n_songs"], facts["n_classes"]) == (3, 2, 2)
    table = parquet.read(tmp_path / "out/samples")
    np.testing.assert_array_equal(parquet.to_numpy(table["audio"]), columns["audio"])
    np.testing.assert_array_equal(parquet.to_numpy(table["lyrics"]), columns["lyrics"])
    assert table["song"].to_pylist() == ["s", "s", "t"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": None}, "has no 'audio'; expected id, audio, lyrics"),
        ({"audio": np.ones((2, 3))}, "audio has 2 rows and id 3"),
        ({"audio": np.ones(3)}, r"audio is float64 of shape \(3,\), expected numbers \(n, d\)"),
        ({"lyrics": np.array([[1.0], [np.nan], [1.0]])}, "lyrics: row 1 holds NaN or infinity"),
        ({"lyrics": np.array([["a"], ["b"], ["c"]])}, "no numbers"),
        ({"lyrics": np.array([[{}], [1], [2]], dtype=object)}, r"expected numbers \(n, d\)"),
        ({"label": np.array(3)}, r"label is int64 of shape \(\), expected texts \(n,\)"),
        ({"id": np.array(["a", "a", "b"])}, "id 'a' occurs 2 times"),
    ],
)
def test_wrong_features_are_one_line(
    changes: dict[str, Any], message: str, tmp_path: Path, build: Callable[..., dict[str, Any]]
) -> None:
    columns = {"id": np.array(["a", "b", "c"]), "audio": np.ones((3, 2)), "lyrics": np.ones((3, 2))} | changes
    path = tmp_path / "mine.npz"
    np.savez(path, **{name: value for name, value in columns.items() if value is not None})
    with pytest.raises(DataError, match=message):
        build("features", **{"pieces.features.location": str(path)})


def test_features_that_are_no_file_or_no_archive(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    (tmp_path / "mine.npz").write_bytes(b"PK garbage")
    for name, message in (("mine.npz", "damaged"), ("none.npz", "no such file"), ("none", "no such file or folder")):
        with pytest.raises(DataError, match=message):
            build("features", **{"pieces.features.location": str(tmp_path / name)})


@pytest.mark.parametrize("column", ["id", "label", "song", "kind"])
def test_lists_in_place_of_names_are_one_line(
    column: str, tmp_path: Path, build: Callable[..., dict[str, Any]]
) -> None:
    rows = {"id": ["a", "b"], "audio": np.ones((2, 2), np.float32), "lyrics": np.ones((2, 2), np.float32)}
    rows |= {column: np.zeros((2, 3), np.float32)}
    types = {"id": pa.string(), "audio": parquet.vector(2), "lyrics": parquet.vector(2)} | {column: parquet.vector(3)}
    parquet.write(tmp_path / "mine.parquet", rows, types=types)
    with pytest.raises(DataError, match=rf"mine.parquet: {column}: expected strings or integers, got fixed_size_list"):
        build("features", **{"pieces.features.location": str(tmp_path / "mine.parquet")})


def test_damaged_archives_of_features_are_one_line(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, id=np.array(["a", "b", "c"]), audio=np.ones((3, 2)), lyrics=np.ones((3, 2)))
    good = path.read_bytes()
    at = good.find(b"PK\1\2")
    start = 30 + int.from_bytes(good[26:28], "little") + int.from_bytes(good[28:30], "little")
    flags, content = bytearray(good), bytearray(good)
    # Patched data, which Python does not know; and a stream that cannot be unpacked.
    flags[6] |= 0x20
    flags[at + 8] |= 0x20
    content[start : start + 8] = b"\xff" * 8
    for damaged in (flags, content):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"damaged .*; write it with numpy\.savez"):
            build("features", **{"pieces.features.location": str(path)})


def ready(path: Path, **changes: Any) -> Path:
    """Ready-made shards of three songs."""
    score_ = midi.encode_score([midi.Played(60, 0.0, 2.0, 90, 52)])
    columns = {"id": ["a", "b", "c"], "text": TEXTS[:3], "midi": [score_] * 3} | changes
    path.mkdir()
    pa.parquet.write_table(pa.table(columns), path / "x.parquet")
    return path


def test_ready_made_shards(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    place = ready(tmp_path / "made", split=["train", "test", "train"], label=["x", "y", "x"], start_s=[0.5, 0.0, 0.0])
    build("parquet", **{"pieces.parquet.location": str(place)})
    found = rows(tmp_path)
    assert [(row["split"], row["label"], row["start_s"]) for row in found] == [
        ("train", "x", 0.5),
        ("test", "y", 0.0),
        ("train", "x", 0.0),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"midi": [None] * 3}, "row 0: midi is empty or none"),
        ({"text": ["a", None, "b"]}, "row 1: text is None, expected a text"),
        ({"split": ["train", "tset", "train"]}, "row 1: split is 'tset', expected train, validation, test"),
        ({"start_s": [0.0, -1.0, 0.0]}, "row 1: start_s is -1.0, expected seconds"),
        ({"id": ["a", "b", "a"]}, "id 'a' occurs 2 times"),
    ],
)
def test_wrong_shards_are_one_line(
    changes: dict[str, Any], message: str, tmp_path: Path, build: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(DataError, match=message):
        build("parquet", **{"pieces.parquet.location": str(ready(tmp_path / "made", **changes))})


def test_an_empty_source_and_one_without_words_are_one_line(
    tmp_path: Path, build: Callable[..., dict[str, Any]]
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"songs\.source musicxml: no file of that kind there"):
        build("musicxml", **{"pieces.musicxml.locations": [str(tmp_path / "empty")]})
    (tmp_path / "short").mkdir()
    (tmp_path / "short/a.xml").write_bytes(sung("la la la"))
    with pytest.raises(DataError, match=r"no song is left .* relax songs\.pieces\.min_words"):
        build("musicxml", **{"pieces.musicxml.locations": [str(tmp_path / "short")]})
    with pytest.raises(UnisonoError, match="nowhere"):
        build("musicxml", **{"pieces.musicxml.locations": [str(tmp_path / "nowhere")]})


# ---- what is shown, and the stages ----


def test_at_most_six_words_of_what_is_not_free(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    build("musicxml", **{"pieces.musicxml.locations": [str(scores(tmp_path / "mine", 2))]})
    parts = {(p.item, p.place): p.content for p in dataset_of("songs").show(tmp_path / "out", ["song0"])}
    assert parts["song0", "lyrics"] == " ".join(TEXTS[0].split()[:6]) + " …"
    assert parts["song0", "title"] == "song0"
    assert words.shown("one two", free=False) == "one two"
    assert len(words.shown(" ".join(TEXTS), free=True).split()) == 31


def test_the_stages_as_commands(tmp_path: Path) -> None:
    text = PARAMS.read_text(encoding="utf-8").replace(
        "  source: music21\n  # What counts", "  source: folder\n  # What counts"
    )
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    for number in range(3):
        tone(tmp_path / f"data/raw/songs/s{number}.wav", hz=300 + 100 * number)
        (tmp_path / f"data/raw/songs/s{number}.txt").write_text(TEXTS[number], encoding="utf-8")
    tone(tmp_path / "data/raw/songs/silent.wav", loud=0.0)
    (tmp_path / "data/raw/songs/silent.txt").write_text(TEXTS[3], encoding="utf-8")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = ["--out", "data/songs/samples", "--skipped", "a.csv", "--summary", "s.json"]
    assert run("stages.build_lyrics_songs", *made) == "4 files of 4 songs, 1 of the largest\n"
    run("stages.render_songs", "--samples", "data/songs/samples", "--out", "data/songs/audio", "--skipped", "b.csv")
    table = parquet.read(tmp_path / "data/songs/audio")
    assert table.column_names == ["id", "audio"]
    assert table["id"].to_pylist() == ["s0", "s1", "s2"]
    assert (tmp_path / "b.csv").read_text(encoding="utf-8") == "item,reason\nsilent,silent.wav: it is silent\n"
    facts = parquet.metadata(tmp_path / "data/songs/audio")
    assert (facts["clip_s"], facts["shorter"]) == (30, "repeated")
