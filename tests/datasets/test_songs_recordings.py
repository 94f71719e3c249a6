"""Sound files with lyrics: of a folder, and of a CSV; what is wrong with them."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import mutagen.flac
import mutagen.id3
import numpy as np
import pytest
import soundfile

from tests.datasets.songs import TEXTS, tone
from unisono.datasets.songs import recordings
from unisono.errors import DataError


def lyric(path: Path, text: str = TEXTS[0]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# ---- a folder ----


def test_lyrics_beside_the_sound_or_in_its_tags(tmp_path: Path) -> None:
    tone(tmp_path / "rock/a.wav")
    lyric(tmp_path / "rock/a.txt", "words of a")
    lyric(tmp_path / "rock/a.lrc", "[00:01.00]not these")
    tone(tmp_path / "b.flac")
    lyric(tmp_path / "b.lrc", "[00:01.00]words\n[00:02.00]of b")
    tagged = mutagen.flac.FLAC(tone(tmp_path / "c.flac"))
    tagged["lyrics"], tagged["title"], tagged["composer"] = "words of c", "Song C", "Somebody"
    tagged.save()
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "d.mp3", rng.normal(0, 0.1, 32_000).astype(np.float32), 16_000, format="MP3")
    frames = mutagen.id3.ID3()
    frames.add(mutagen.id3.USLT(encoding=3, lang="eng", desc="", text="words <b>of</b> d"))
    frames.add(mutagen.id3.TIT2(encoding=3, text="Song D"))
    frames.save(tmp_path / "d.mp3")
    tone(tmp_path / "e.wav")
    pieces, skipped = recordings.folder(tmp_path)
    assert skipped == []
    assert [(p.file, p.title, p.text, p.collection) for p in pieces] == [
        ("b.flac", "b", "words of b", ""),
        ("c.flac", "Song C", "words of c", ""),
        ("d.mp3", "Song D", "words of d", ""),
        ("e.wav", "e", "", ""),
        ("rock/a.wav", "a", "words of a", "rock"),
    ]
    assert pieces[1].composer == "Somebody"


def test_what_cannot_be_used_is_listed(tmp_path: Path) -> None:
    tone(tmp_path / "songs/two.wav")
    tone(tmp_path / "songs/two.flac")
    lyric(tmp_path / "songs/two.txt")
    tone(tmp_path / "songs/large.wav")
    (tmp_path / "songs/large.txt").write_bytes(b"la " * (7 * 2**20))
    tone(tmp_path / "songs/odd.wav")
    (tmp_path / "songs/odd.txt").write_bytes(bytes(range(256)) * 20)
    tone(tmp_path / "outside.wav")
    lyric(tmp_path / "outside.txt")
    (tmp_path / "songs/link.wav").symlink_to(tmp_path / "outside.wav")
    tone(tmp_path / "songs/text.wav")
    (tmp_path / "songs/text.txt").symlink_to(tmp_path / "outside.txt")
    pieces, skipped = recordings.folder(tmp_path / "songs")
    assert [piece.file for piece in pieces] == ["two.flac"]
    assert {skip.file: skip.reason for skip in skipped} == {
        "large.wav": "large.txt: lyrics of 22,020,096 bytes, at most 1,048,576 are read",
        "link.wav": "a link that leaves the folder; replace it by what it means",
        "odd.wav": "odd.txt: lyrics in no encoding that can be told; save them in UTF-8",
        "text.wav": "text.txt: a link that leaves the folder; replace it by what it means",
        "two.wav": "two.flac has the same name and lyrics; keep one of them",
    }


def test_a_folder_without_sound_is_one_line(tmp_path: Path) -> None:
    lyric(tmp_path / "a.txt")
    with pytest.raises(DataError, match="no sound file in it"):
        recordings.folder(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        recordings.folder(tmp_path / "nowhere")


def test_damaged_tags_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"garbage" * 50)
    (tmp_path / "b.m4a").write_bytes(b"\x00\x00\x00\x18ftypM4A \xff" * 9)
    assert [piece.text for piece in recordings.folder(tmp_path)[0]] == ["", ""]


def test_a_compressed_frame_is_not_unpacked(tmp_path: Path) -> None:
    """A megabyte of it would become a gigabyte."""
    frames = b""
    for name, content in ((b"USLT", b"\x03eng\0" + bytes(2**24)), (b"TIT2", b"\x03A title")):
        packed = struct.pack(">I", len(content)) + zlib.compress(content)
        frames += name + struct.pack(">I", len(packed)) + b"\0\x80" + packed
    size = bytes((len(frames) >> shift) & 127 for shift in (21, 14, 7, 0))
    (tmp_path / "a.mp3").write_bytes(b"ID3\x03\0\0" + size + frames + b"\xff\xfb\x90\x00" + bytes(413))
    tracemalloc.start()
    (piece,), _ = recordings.folder(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (piece.text, piece.title) == ("", "a")
    assert peak < 2**23


def test_a_claim_takes_no_memory(tmp_path: Path) -> None:
    """An MP4 box that claims 2 GB, of which there are a few bytes."""
    box = struct.pack(">I4s", 2**31, b"\xa9lyr") + struct.pack(">I4sII", 18, b"data", 1, 0) + b"la"
    for name in (b"ilst", b"meta", b"udta", b"moov"):
        box = struct.pack(">I4s", len(box) + (12 if name == b"meta" else 8), name) + bytes(4 * (name == b"meta")) + box
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x10ftypM4A \0\0\0\0" + box)
    tracemalloc.start()
    (piece,), skipped = recordings.folder(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (piece.text, skipped) == ("", [])
    assert peak < 2**23


def test_a_giant_title_is_cut_before_it_is_cleaned(tmp_path: Path) -> None:
    tone(tmp_path / "a.flac")
    tags = mutagen.flac.FLAC(tmp_path / "a.flac")
    tags["title"], tags["composer"] = "a" + "\u0301\u0323" * 400_000, "Name\n" * 400_000
    tags.save()
    began = time.process_time()
    (piece,), _ = recordings.folder(tmp_path)
    assert time.process_time() - began < 3
    assert len(piece.title) <= 200
    assert piece.composer == "Name"


# ---- a manifest ----


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a sound file, its lyrics, and a file outside."""
    tone(tmp_path / "in/sound/a.wav")
    lyric(tmp_path / "in/a.lrc", "[00:01.00]words <i>of</i> a")
    tone(tmp_path / "secret.wav")
    lyric(tmp_path / "secret.txt")
    return tmp_path / "in"


def manifest(place: Path, *rows: str, header: str = "id,audio,lyrics") -> Path:
    path = place / "songs.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_rows_of_a_manifest(place: Path) -> None:
    header = "id,audio,lyrics,label,language,artist,start_s,title"
    rows = ["one,sound/a.wav,a.lrc,happy,EN,Somebody,12.5,One", 'two,sound/a.wav,"words, of two",,,,,']
    pieces, skipped = recordings.manifest(manifest(place, *rows, header=header))
    assert skipped == []
    assert pieces[0]._replace(location="")[:3] == ("one", "One", "words of a")
    assert (pieces[0].label, pieces[0].language, pieces[0].composer, pieces[0].start_s) == (
        "happy",
        "en",
        "Somebody",
        12.5,
    )
    assert (pieces[1].title, pieces[1].text, pieces[1].start_s) == ("two", "words, of two", None)
    assert Path(pieces[0].location).is_file()


def test_rows_whose_files_are_missing_are_listed(place: Path) -> None:
    rows = ["one,sound/b.wav,words", "two,sound/a.wav,b.txt", "three,,words", "four,sound/a.wav,words"]
    pieces, skipped = recordings.manifest(manifest(place, *rows))
    assert [piece.file for piece in pieces] == ["four"]
    assert [(skip.file, skip.reason) for skip in skipped] == [
        ("one", "sound/b.wav: no such file"),
        ("two", "b.txt: no such file"),
        ("three", ": no such file"),
    ]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["one,sound/a.wav,x", "one,sound/a.wav,y"], None, "line 3: id 'one' is that of line 2, too"),
        (["one,../secret.wav,x"], None, "line 2: audio '../secret.wav' leaves the folder of the manifest"),
        (["one,sound/a.wav,../secret.txt"], None, "line 2: lyrics '../secret.txt' leaves the folder"),
        (["one,/etc/hostname,x"], None, "audio '/etc/hostname' leaves the folder"),
        (["a/b,sound/a.wav,x"], None, "id 'a/b', expected a name without slashes"),
        ([",sound/a.wav,x"], None, "id '', expected a name"),
        (["one,sound/a.wav,x,0"], "id,audio,lyrics,star_s", "unknown column 'star_s'; expected id, audio, lyrics"),
        (["one,sound/a.wav"], "id,audio", "has no column 'lyrics'"),
        (["one,sound/a.wav,x,soon"], "id,audio,lyrics,start_s", "start_s is 'soon', expected seconds"),
        (["one,sound/a.wav,x,-1"], "id,audio,lyrics,start_s", "start_s is '-1', expected seconds"),
        (["one,sound/a.wav,x,nan"], "id,audio,lyrics,start_s", "start_s is 'nan', expected seconds"),
    ],
)
def test_a_wrong_manifest_is_one_line(place: Path, rows: list[str], header: str | None, message: str) -> None:
    path = manifest(place, *rows, header=header or "id,audio,lyrics")
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        recordings.manifest(path)


def test_a_manifest_of_another_encoding_or_none_is_one_line(place: Path) -> None:
    path = manifest(place, "one,sound/a.wav,x")
    path.write_bytes("id,audio,lyrics\none,sound/a.wav,é".encode("latin-1"))
    with pytest.raises(DataError, match="not in UTF-8"):
        recordings.manifest(path)
    with pytest.raises(DataError, match="no such file"):
        recordings.manifest(place / "none.csv")
