"""Shards of samples into shards of pictures: the stages around LilyPond."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from unisono.config.compute import Compute
from unisono.config.mtm import Engraver
from unisono.errors import DataError, ProgramError
from unisono.io import parquet
from unisono.media import engraving, lilypond

pytestmark = pytest.mark.skipif(
    shutil.which("lilypond") is None, reason="LilyPond is missing (`make test` installs it)"
)

ENGRAVER = Engraver(fragments_per_run=8, resolution_dpi=100, timeout_s=120)


def melodies() -> np.ndarray:
    """Six melodies of 20 notes over one scale, shape (6, 20, 3): 16 distinct single notes at most."""
    rng = np.random.default_rng(0)
    pitches = rng.choice([60, 62, 64, 65], (6, 20))
    durations = rng.choice([0.5, 1.0, 2.0, 3.5], (6, 20))
    return np.stack([pitches, durations, np.zeros((6, 20))], axis=-1).astype(np.float32)


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    """Work in this process, with unfinished work under the test's own folder."""
    return Compute(executor="serial", scratch=tmp_path / "scratch")


@pytest.fixture
def write_samples(tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """Write samples as two shards with ids s0, s1, ...; returns their folder."""

    def write(notes: np.ndarray) -> Path:
        for shard, rows in enumerate(np.array_split(np.arange(len(notes)), 2)):
            n = len(rows)
            parquet.write(
                tmp_path / "samples" / parquet.shard_name(shard),
                {
                    "id": [f"s{row}" for row in rows],
                    "notes": notes[rows],
                    "syllables": [["Wie", "der", "se", "hen"] * 5] * n,
                    "word_index": np.tile(np.repeat(np.arange(5), 4), (n, 1)),
                },
                types={
                    "id": pa.string(),
                    "notes": pa.list_(pa.list_(pa.float32(), 3), 20),
                    "syllables": parquet.strings(20),
                    "word_index": pa.list_(pa.int32(), 20),
                },
                metadata={"dataset": "mtm", "source": "test", "n_samples": 6},
            )
        return tmp_path / "samples"

    return write


def pictures(folder: Path) -> dict[str, Image.Image]:
    table = parquet.read(folder)
    names, media = table.column(0).to_pylist(), table["picture"].to_pylist()
    return {name: Image.open(io.BytesIO(one["bytes"])) for name, one in zip(names, media, strict=True)}


def reasons(path: Path) -> list[list[str]]:
    return list(csv.reader(path.open()))[1:]


def test_samples_become_pictures_and_bad_ones_are_listed(
    tmp_path: Path, write_samples: Callable[[np.ndarray], Path], compute: Compute
) -> None:
    notes = melodies()
    notes[1, 4, 0] = np.nan
    samples, skipped = write_samples(notes), tmp_path / "skipped.csv"
    sheets = {}
    for name, engrave_lyrics in (("sheet", True), ("plain", False)):
        engraving.engrave_folder(
            samples, tmp_path / name, skipped, ENGRAVER, engrave_lyrics=engrave_lyrics, compute=compute
        )
        assert reasons(skipped) == [["s1", "note 5: pitch nan, expected a whole number from 0 to 127"]]
        assert parquet.metadata(tmp_path / name) == {
            "dataset": "mtm",
            "source": "test",
            "tool": lilypond.version(),
            "resolution_dpi": 100,
            "engrave_lyrics": engrave_lyrics,
            "n_fragments": 2,
        }
        sheets[name] = pictures(tmp_path / name)
        assert list(sheets[name]) == ["s0", "s2", "s3", "s4", "s5"]
    for name, sheet in sheets["sheet"].items():
        assert sheet.mode == "L"
        assert sheet.height > sheets["plain"][name].height + 10


def test_distinct_notes_are_engraved_once(
    tmp_path: Path, write_samples: Callable[[np.ndarray], Path], compute: Compute
) -> None:
    notes = melodies()
    notes[0, 0, :2] = 100, 0.5
    notes[0, 1, :2] = np.nan, 0.5
    engraving.engrave_notes_folder(write_samples(notes), tmp_path / "notes", ENGRAVER, compute=compute)
    table = parquet.read(tmp_path / "notes")
    expected = sorted({(float(p), float(d)) for p, d in notes[..., :2].reshape(-1, 2) if p == p})
    assert list(zip(table["pitch"].to_pylist(), table["duration"].to_pylist(), strict=True)) == expected
    assert table["key"].to_pylist() == [f"{pitch:.0f}:{duration}" for pitch, duration in expected]
    assert len({one["bytes"] for one in table["picture"].to_pylist()}) == len(expected)
    assert len(parquet.shards(tmp_path / "notes")) == 3
    assert parquet.metadata(tmp_path / "notes")["engrave_lyrics"] is False


def test_again_gives_the_same_bytes(
    tmp_path: Path, write_samples: Callable[[np.ndarray], Path], compute: Compute
) -> None:
    samples = write_samples(melodies()[:2])
    for name, size in (("a", 8), ("b", 1)):
        engraver = ENGRAVER.model_copy(update={"fragments_per_run": size})
        engraving.engrave_folder(
            samples, tmp_path / name, tmp_path / "skipped.csv", engraver, engrave_lyrics=True, compute=compute
        )
    for first, second in zip(parquet.shards(tmp_path / "a"), parquet.shards(tmp_path / "b"), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_nothing_that_can_be_engraved_is_an_error(
    tmp_path: Path, write_samples: Callable[[np.ndarray], Path], compute: Compute
) -> None:
    samples, skipped = write_samples(np.full((2, 20, 3), -1.0)), tmp_path / "skipped.csv"
    with pytest.raises(DataError, match=r"no sample could be engraved; the reasons are in .*skipped\.csv"):
        engraving.engrave_folder(samples, tmp_path / "out", skipped, ENGRAVER, engrave_lyrics=True, compute=compute)
    assert [item for item, _ in reasons(skipped)] == ["s0", "s1"]
    with pytest.raises(DataError, match="found none"):
        engraving.engrave_notes_folder(samples, tmp_path / "notes", ENGRAVER, compute=compute)


def test_missing_lilypond_is_one_error(
    tmp_path: Path,
    write_samples: Callable[[np.ndarray], Path],
    compute: Compute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = write_samples(melodies())
    monkeypatch.setenv("PATH", str(tmp_path))
    calls: list[Callable[[], Any]] = [
        lambda: engraving.engrave_folder(
            samples, tmp_path / "out", tmp_path / "x.csv", ENGRAVER, engrave_lyrics=True, compute=compute
        ),
        lambda: engraving.engrave_notes_folder(samples, tmp_path / "out", ENGRAVER, compute=compute),
    ]
    for call in calls:
        with pytest.raises(ProgramError, match=r"apt-get install.* lilypond"):
            call()
    assert not (tmp_path / "out").exists()
