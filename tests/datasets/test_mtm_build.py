"""From a configured source to shards, list and summary: the real sources' exact counts, and bad sources."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import typing
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from unisono.config import mtm as schema
from unisono.datasets.mtm import build as building
from unisono.datasets.mtm import corpus, groups, samples
from unisono.datasets.mtm.dataset import DATASET
from unisono.datasets.mtm.samples import Rule
from unisono.datasets.mtm.song import Skipped, Song
from unisono.datasets.mtm.sources import open_source, read_songs
from unisono.errors import DataError, UnisonoError
from unisono.io import parquet

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
FREE = Rule("first_two", None, None, 0.125)
LIMITED = Rule("all", 4, 8, 0.125)


def params(changes: dict[str, Any]) -> schema.Mtm:
    """The shipped parameters with some changed, by dotted key below ``mtm``."""
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["mtm"]
    for key, value in changes.items():
        section = raw
        *path, last = key.split(".")
        for part in path:
            section = section[part]
        section[last] = value
    return schema.Mtm.model_validate(raw)


def score(syllables: list[str], *, leap: int = 0) -> bytes:
    """A score of quarter notes, each `leap` steps of the scale above the one before, within an octave."""
    notes = "".join(
        f"<note><pitch><step>{'CDEFGAB'[leap * i % 7]}</step><octave>4</octave></pitch><duration>1</duration>"
        f"<lyric><syllabic>single</syllabic><text>{text}</text></lyric></note>"
        for i, text in enumerate(syllables)
    )
    return f"<score-partwise><part id='P1'><measure>{notes}</measure></part></score-partwise>".encode()


def songs(folder: Path, n: int = 4) -> Path:
    """A folder of up to 6 songs of 40 syllables, each with a text and a melody of its own."""
    for i in range(n):
        name = folder / f"song{i}.xml"
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(score([chr(97 + i) * 2] * 20 + ["end"] * 20, leap=i + 1))
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Build from a MusicXML location into ``tmp_path/out``."""

    def run(location: Path | str, **changes: Any) -> dict[str, Any]:
        return building.build(
            params({"source": "musicxml", "songs.musicxml.locations": [str(location)]} | changes),
            out=tmp_path / "out",
            skipped=tmp_path / "skipped.csv",
            summary=tmp_path / "summary.json",
        )

    return run


def listed(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """The list of skipped files."""
    with (tmp_path / "skipped.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: (row["kind"], row["reason"]) for row in csv.DictReader(file)}


# ---- the real sources ----


@pytest.fixture(scope="session")
def music21() -> tuple[list[Song], list[Skipped]]:
    """The default source, read once."""
    return read_songs(open_source(params({"source": "music21"}).chosen))


def test_music21_counts(music21: tuple[list[Song], list[Skipped]]) -> None:
    songs, skipped = music21
    assert Counter(corpus.collection(song.file) for song in songs) == {"bach": 337, "trecento": 83, "songs": 12}
    assert Counter(skip.kind for skip in skipped) == {"no lyrics": 82, "too short": 11}
    with_lyrics = [song.file for song in songs] + [s.file for s in skipped if s.kind == "too short"]
    assert Counter(map(corpus.collection, with_lyrics)) == {"bach": 338, "trecento": 93, "songs": 12}
    free = Counter(corpus.collection(song.file) for song in songs for _ in samples.cut(song, FREE))
    assert free == {"bach": 506, "trecento": 165, "songs": 23}


def test_music21_samples_under_the_limits(music21: tuple[list[Song], list[Skipped]]) -> None:
    cuts = [samples.cut(song, LIMITED) for song in music21[0]]
    assert sum(map(len, cuts)) == 900
    assert sum(map(bool, cuts)) == 392
    assert sum(len(samples.cut(song, LIMITED._replace(windows="first_two"))) for song in music21[0]) == 574


def test_music21_files_are_far_fewer_songs(music21: tuple[list[Song], list[Skipped]]) -> None:
    songs, _ = music21
    assert len(songs) == 432
    found = groups.group(songs)
    assert len(set(found)) == 248
    same = {song.file: group for song, group in zip(songs, found, strict=True)}
    assert same["schumann_robert/dichterliebe_no2.xml"] == same["schumann_robert/opus48no2.mxl"]


def test_music21_lyrics_are_clean(music21: tuple[list[Song], list[Skipped]]) -> None:
    notes = [note for song in music21[0] for note in song.notes]
    assert not any(note.syllable[:1].isdigit() for note in notes)
    assert all(note.syllable.strip() == note.syllable != "" for note in notes)
    assert all(note.pitch == round(note.pitch) and 30 <= note.pitch <= 90 for note in notes)


def test_music21_follows_one_verse(music21: tuple[list[Song], list[Skipped]]) -> None:
    sung = {song.file: " ".join(note.syllable for note in song.notes) for song in music21[0]}
    assert "Jung frau aus er kor'n." in sung["bach/bwv414.mxl"]
    assert "Na men sein, hat dir dein' S\u00fcnd' ver ge ben" in sung["bach/bwv17.7.mxl"]
    assert "a li ber tà," in sung["handel/rinaldo/Lascia_chio_pianga.mxl"]
    assert sung["trecento/PMFC_13_06-Gloria Fior Gentil.xml"].endswith("A men.")


def test_collections_of_the_schema_and_of_the_corpus_are_the_same() -> None:
    (legal,) = {
        value for value in typing.get_args(schema.Music21.model_fields["collections"].annotation) if value is not ...
    }
    assert set(typing.get_args(legal)) == set(corpus.COLLECTIONS)
    with pytest.raises(ValidationError, match="collections"):
        params({"songs.music21.collections": ["monteverdi"]})


# ---- a build as a whole ----


def test_a_folder_becomes_shards_a_list_and_a_summary(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = songs(tmp_path / "songs", 6)
    (folder / "empty.xml").write_bytes(b"")
    (folder / "short.xml").write_bytes(score(["la"] * 5))
    (folder / "wordless.xml").write_bytes(b"<score-partwise/>")
    facts = build(folder, **{"songs.shard_size": 5, "songs.max_skipped_fraction": 0.2})
    assert facts == json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert (facts["n_samples"], facts["n_songs"], facts["n_repeated"]) == (12, 6, 0)
    assert facts["files"]["n_skipped"] == {"broken": 1, "no lyrics": 1, "too short": 1}
    assert listed(tmp_path) == {
        "empty.xml": ("broken", "empty file"),
        "short.xml": ("too short", "5 syllables in the longest part, 20 are needed"),
        "wordless.xml": ("no lyrics", "no note has a syllable"),
    }
    table = parquet.read(tmp_path / "out")
    assert table["id"].to_pylist()[:3] == ["song0-w00", "song0-w01", "song1-w00"]
    assert [len(parquet.read(path)) for path in parquet.shards(tmp_path / "out")] == [5, 5, 2]
    assert "kind" not in table.column_names
    assert parquet.metadata(tmp_path / "out")["source"] == "musicxml"


def test_a_second_build_gives_the_same_bytes(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = songs(tmp_path / "songs")
    build(folder)
    first = {p.name: p.read_bytes() for p in [*parquet.shards(tmp_path / "out"), tmp_path / "summary.json"]}
    build(folder)
    assert first == {p.name: p.read_bytes() for p in [*parquet.shards(tmp_path / "out"), tmp_path / "summary.json"]}


def test_samples_are_dealt_by_song_or_one_by_one(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "refrain.xml").write_bytes(score(["la"] * 400))
    assert build(folder)["n_repeated"] == 19
    made = parquet.read(tmp_path / "out")
    parts, facts = DATASET.deal(made, params({"split.by": "sample"}))
    assert Counter(parts.tolist()) == {"train": 14, "validation": 3, "test": 3}
    assert facts == {"n_repeated": 19, "n_across_splits": 20}
    with pytest.raises(DataError, match=r"0 of 20 samples in the part (train|test), two are needed"):
        DATASET.deal(made, params({}))


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "file"])
def test_archives_and_single_files_are_read(tmp_path: Path, build: Callable[..., dict[str, Any]], kind: str) -> None:
    folder = songs(tmp_path / "songs")
    location = tmp_path / f"songs.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(location, "w") as packed:
            for path in sorted(folder.iterdir()):
                packed.write(path, f"top/{path.name}")
    elif kind == "tar.gz":
        with tarfile.open(location, "w:gz") as tar:
            tar.add(folder, "top")
    else:
        location = folder / "song0.xml"
    assert build(location)["n_samples"] == (2 if kind == "file" else 8)


def test_ready_made_samples_are_resharded(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    build(songs(tmp_path / "songs"))
    made = parquet.read(tmp_path / "out")
    (tmp_path / "made").mkdir()
    made.to_pandas().to_parquet(tmp_path / "made" / "part-00000.parquet")
    facts = build("", source="parquet", **{"songs.parquet.location": tmp_path / "made", "songs.shard_size": 3})
    assert (facts["source"], facts["n_samples"]) == ("parquet", 8)
    assert len(parquet.shards(tmp_path / "out")) == 3
    assert parquet.read(tmp_path / "out").to_pylist() == made.to_pylist()


# ---- bad sources ----


def test_too_many_broken_files_stop_the_stage(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = songs(tmp_path / "songs")
    (folder / "a.mxl").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match=r"1 of 5 files are broken.*a\.mxl: damaged.*skipped\.csv"):
        build(folder)
    assert listed(tmp_path)["a.mxl"][0] == "broken"
    assert not (tmp_path / "out").exists()


def test_a_source_without_a_sample_stops_the_stage(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = songs(tmp_path / "songs", 1)
    with pytest.raises(DataError, match="no sample is left"):
        build(folder, **{"songs.max_duration": 0.5})
    assert listed(tmp_path) == {"song0.xml": ("limits", "every window is over a limit")}


def test_windows_over_a_limit_are_counted(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = songs(tmp_path / "songs")
    long = folder / "song3.xml"
    long.write_bytes(long.read_bytes().replace(b"<duration>1<", b"<duration>5<", 1))
    facts = build(folder)
    assert facts["windows"] == {"n_windows": 8, "n_over_limits": 1}
    told = (
        "1 of 8 windows of 20 notes (12%) hold a note longer than 4 beats (`max_duration`) or a rest "
        "longer than 8 beats (`max_rest`)"
    )
    assert parquet.metadata(tmp_path / "out")["left_out"] == [told]


def test_a_source_without_a_score_stops_the_stage(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    (tmp_path / "songs").mkdir()
    with pytest.raises(DataError, match="no file of that kind"):
        build(tmp_path / "songs")


def test_a_missing_location_is_named(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(UnisonoError, match="nowhere"):
        build(tmp_path / "nowhere")


def test_several_locations_are_read_at_once(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    songs(tmp_path / "one", 2)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.writestr("song0.xml", score(["zz"] * 20 + ["so"] * 20, leap=5))
    both = [str(tmp_path / "one"), str(tmp_path / "two.zip")]
    facts = build("", **{"songs.musicxml.locations": both})
    assert facts["files"]["n_files"] == 3
    assert list(facts["licences"]) == both
    rows = parquet.read(tmp_path / "out", ["file", "kind"]).to_pylist()
    # Of several collections it is told which one a sample is of: that alone would find some.
    assert {(row["file"], row["kind"]) for row in rows} == {
        ("one/song0.xml", "one"), ("one/song1.xml", "one"), ("two/song0.xml", "two"),
    }  # fmt: skip
    made = parquet.read(tmp_path / "out")
    build("", source="parquet", **{"songs.parquet.location": tmp_path / "out"})
    assert parquet.read(tmp_path / "out").to_pylist() == made.to_pylist()


def test_checksums_are_one_of_each_location_or_none() -> None:
    with pytest.raises(ValidationError, match="sha256 has 1 entries and locations 2"):
        params({"songs.musicxml.locations": ["a", "b"], "songs.musicxml.sha256": [""]})


def test_an_archive_of_the_wrong_checksum_is_refused(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    location = tmp_path / "songs.zip"
    with zipfile.ZipFile(location, "w") as packed:
        packed.writestr("a.xml", score(["la"] * 20))
    with pytest.raises(UnisonoError, match=r"(?i)sha-?256|checksum"):
        build(location, **{"songs.musicxml.sha256": ["0" * 64]})


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_escapes_is_refused(tmp_path: Path, build: Callable[..., dict[str, Any]], kind: str) -> None:
    location = tmp_path / f"evil.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(location, "w") as packed:
            packed.writestr("../evil.xml", score(["la"] * 20))
    else:
        with tarfile.open(location, "w:gz") as tar:
            member = tarfile.TarInfo("../evil.xml")
            data = score(["la"] * 20)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(DataError, match=r"\.\./evil\.xml"):
        build(location)
    assert not (tmp_path.parent / "evil.xml").exists()


def test_a_truncated_archive_is_refused(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    folder = songs(tmp_path / "songs")
    location = tmp_path / "songs.tar.gz"
    with tarfile.open(location, "w:gz") as tar:
        tar.add(folder, "top")
    location.write_bytes(location.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"songs\.tar\.gz"):
        build(location)


def test_a_foreign_pickle_is_listed_and_not_run(tmp_path: Path, build: Callable[..., dict[str, Any]]) -> None:
    inside = tmp_path / "data" / params({}).songs.lmd.folder
    inside.mkdir(parents=True)
    marker = tmp_path / "ran"
    code = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 4), }"
    (inside / "evil.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + code)
    changes = {"source": "lmd", "songs.lmd.location": str(tmp_path / "data")}
    with pytest.raises(DataError, match=r"1 of 1 files are broken.*evil\.npy.*system"):
        build("", **changes)
    assert not marker.exists()
