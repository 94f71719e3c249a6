"""Pairs for training: what stands at a place of the line, and what sounds there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.divided import divide
from unisono.errors import DataError
from unisono.features.asmcmr import pairs as asmcmr_pairs
from unisono.io import parquet
from unisono.media import audio

N_NOTES = 20


def _notes(durations: list[float], rests: list[float] | None = None) -> np.ndarray:
    n = len(durations)
    return np.column_stack([np.full(n, 60.0), durations, rests or [0.0] * n])


def test_equal_notes_stand_at_equal_distances_but_for_bar_lines() -> None:
    columns = asmcmr_pairs.note_columns(_notes([1.0] * 20), None, 500)
    steps = np.diff(columns)
    assert columns[0] == asmcmr_pairs.FIRST_NOTE_COLUMN
    assert columns[-1] + steps[0] == pytest.approx(500, abs=steps[0])
    bars = np.arange(1, 20) % 4 == 0
    assert np.ptp(steps[bars]) == pytest.approx(0)
    assert np.ptp(steps[~bars]) == pytest.approx(0)
    assert steps[bars][0] > steps[~bars][0]


def test_long_notes_rests_and_long_syllables_take_space() -> None:
    plain = np.diff(asmcmr_pairs.note_columns(_notes([1, 1, 1, 1, 1, 1]), None, 300))
    longer = np.diff(asmcmr_pairs.note_columns(_notes([1, 2, 1, 1, 1, 1]), None, 300))
    assert longer[1] / longer[0] > plain[1] / plain[0]
    rest = np.diff(asmcmr_pairs.note_columns(_notes([1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 0]), None, 300))
    assert rest[1] / rest[0] > 1.5
    syllables = ["a", "strength", "a", "a", "a", "a"]
    sung = np.diff(asmcmr_pairs.note_columns(_notes([1, 1, 1, 1, 1, 1]), syllables, 300))
    assert sung[1] / sung[0] > 1.5


def test_a_pair_sounds_what_stands_in_the_middle_of_the_window() -> None:
    """A strip whose grey is its column, a spectrogram whose value is its frame: place and time must agree."""
    strip = np.tile((np.arange(1000) // 4).astype(np.uint8), (160, 1))
    spectrogram = np.tile(np.arange(1, 401, dtype=np.float32), (92, 1))
    columns, frames = np.array([100.0, 500.0, 900.0]), np.array([50.0, 200.0, 350.0])
    pairs = asmcmr_pairs.Pairs([[strip]], [[columns]], [spectrogram], [frames])
    snippets, excerpts = pairs.draw(np.random.default_rng(0), 25)
    assert snippets.shape == (25, 80, 100)
    assert excerpts.shape == (25, 92, 42)
    middles = snippets[:, 0, 49:51].mean(axis=1) * 255 * 4 + 2
    expected = np.interp(middles, columns, frames)
    np.testing.assert_allclose(excerpts[:, 0, 21] - 1, expected, atol=2.5)
    assert np.ptp(middles) > 300, "windows come from the whole strip"


def test_every_sample_is_drawn_before_any_is_drawn_twice() -> None:
    strips = [[np.full((160, 300), 10 * i, np.uint8)] for i in range(7)]
    line = np.array([70.0, 280.0])
    pairs = asmcmr_pairs.Pairs(strips, [[line]] * 7, [np.zeros((92, 50), np.float32)] * 7, [line / 10] * 7)
    snippets, _ = pairs.draw(np.random.default_rng(0), 7)
    assert sorted(np.round(snippets[:, 0, 0] * 25.5).astype(int)) == list(range(7))
    assert len(pairs.draw(np.random.default_rng(0), 20)[0]) == 20


def _picture(seed: int) -> bytes:
    picture = np.full((60, 300 + seed), 255, np.uint8)
    picture[16:45:7] = 0
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def _data_set(root: Path, splits: list[str], *, without_picture: int | None = None) -> None:
    ids = [f"song-w{i:02d}" for i in range(len(splits))]
    notes = np.tile(_notes([0.5] * N_NOTES), (len(ids), 1, 1))
    parquet.write(
        root / "samples" / "part-00000.parquet",
        {"id": ids, "notes": notes, "syllables": [["la"] * N_NOTES] * len(ids), "split": splits},
        types={
            "id": pa.string(),
            "notes": parquet.matrix(N_NOTES, 3),
            "syllables": parquet.strings(N_NOTES),
            "split": pa.string(),
        },
        metadata={"dataset": "mtm", "source": "music21"},
    )
    divide(root)
    sound = 0.3 * np.sin(2 * np.pi * 440 * np.arange(5 * 16_000) / 16_000)
    parquet.write(
        root / "audio" / "part-00000.parquet",
        {
            "id": ids,
            "audio": [(audio.encode_flac(sound, 16_000), "x.flac")] * len(ids),
            "onsets": np.tile(np.arange(N_NOTES) * 0.25, (len(ids), 1)),
        },
        types={"id": pa.string(), "audio": parquet.MEDIA, "onsets": parquet.vector(N_NOTES)},
    )
    for engraving in ("sheet", "sheet_plain"):
        kept = [i for i in range(len(ids)) if not (engraving == "sheet_plain" and i == without_picture)]
        parquet.write(
            root / "engraved" / engraving / "part-00000.parquet",
            {"id": [ids[i] for i in kept], "picture": [(_picture(i), "x.png") for i in kept]},
            types={"id": pa.string(), "picture": parquet.MEDIA},
            metadata={"engrave_lyrics": engraving == "sheet"},
        )


def _read(root: Path) -> asmcmr_pairs.Pairs:
    return asmcmr_pairs.read_pairs(*(root / name for name in ("samples", "divisions", "audio", "engraved")), seed=0)


def test_only_training_samples_are_read_in_all_engravings(tmp_path: Path) -> None:
    _data_set(tmp_path, ["train", "test", "train", "validation", "train"], without_picture=2)
    pairs = _read(tmp_path)
    assert [[strip.shape[1] for strip in strips] for strips in pairs.strips] == [[300, 300], [302], [304, 304]]
    assert [len(columns) for columns in pairs.columns] == [2, 1, 2]
    np.testing.assert_allclose(pairs.frames[0], np.arange(N_NOTES) * 5)
    assert pairs.spectrograms[0].shape == (92, 100)


def test_more_samples_than_memory_takes_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asmcmr_pairs, "MAX_SAMPLES", 3)
    _data_set(tmp_path, ["train"] * 6)
    assert len(_read(tmp_path).strips) == 3


def test_too_few_samples_or_no_pictures_end_with_a_message(tmp_path: Path) -> None:
    _data_set(tmp_path, ["train", "test"])
    with pytest.raises(DataError, match=r"1 training samples have both sound .* at least 2 are needed"):
        _read(tmp_path)
    with pytest.raises(DataError, match=r"pictures: holds no folder of engraved pictures"):
        asmcmr_pairs.read_pairs(
            tmp_path / "samples", tmp_path / "divisions", tmp_path / "audio", tmp_path / "pictures", seed=0
        )
