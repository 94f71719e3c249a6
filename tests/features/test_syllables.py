"""Syllables described by their text: known answers in several scripts, shards, damaged samples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unisono import load_dataset
from unisono.config.compute import Compute
from unisono.errors import DataError
from unisono.features import syllables
from unisono.io import parquet

ROOT = Path(__file__).resolve().parents[2]
Row = tuple[int, ...]


def write_samples(folder: Path, rows: list[tuple[list[str], list[str], list[int]]]) -> Path:
    n = len(rows[0][0])
    parquet.write(
        folder / "samples" / parquet.shard_name(0),
        {
            "id": [f"s{number}" for number in range(len(rows))],
            "song": ["a"] * len(rows),
            **{name: [row[at] for row in rows] for at, name in enumerate(("syllables", "words", "word_index"))},
        },
        types={
            "id": pa.string(), "song": pa.string(), "syllables": parquet.strings(n), "words": parquet.strings(n),
            "word_index": pa.list_(pa.int32(), n),
        },
        metadata={"dataset": "mtm", "source": "test"},
    )  # fmt: skip
    return folder / "samples"


@pytest.mark.parametrize(
    ("syllable", "expected"),
    [
        ("Seel\u2019", (0, 0, 4, 1, 2)),
        ("tes,", (1, 0, 3, 0, 1)),
        ("lands.", (0, 1, 5, 0, 1)),
        ("Heil!\u00bb", (0, 1, 4, 1, 2)),
        ("sein?)\"", (0, 1, 4, 0, 2)),
        # Accents, composed or not; letters that have none.
        ("Gu\u0308", (0, 0, 2, 1, 1)),
        ("\u00c9\u00e9\u00f8\u0153", (0, 0, 4, 1, 4)),
        ("Ghiacc\u00eco;", (1, 0, 8, 1, 4)),
        # Other scripts: their vowels as far as the rule says, their capitals, their marks.
        ("\u0416\u0438\u0437\u043d\u044c", (0, 0, 5, 1, 1)),
        ("\u1f08\u03b3\u03ac", (0, 0, 3, 1, 2)),
        ("\u4f60\u597d\u3002", (0, 1, 2, 0, 0)),
        ("\u05e9\u05dc\u05d5\u05dd", (0, 0, 4, 0, 0)),
        # No letter at all.
        ("", (0, 0, 0, 0, 0)),
        ("...", (0, 1, 0, 0, 0)),
        ("36", (0, 0, 0, 0, 0)),
        ("\U0001f600\u200d", (0, 0, 0, 0, 0)),
        ("&lt;b&gt;", (1, 0, 5, 0, 0)),
    ],
)  # fmt: skip
def test_known_syllables(syllable: str, expected: Row) -> None:
    [row] = syllables.describe([syllable], [syllable], [0])
    assert row[2:].astype(int).tolist() == list(expected)


def test_words_begin_and_end_where_the_index_changes_and_the_text_says_so_at_the_ends() -> None:
    # Cut out of "Be-ne-di-ci-mus te. A-do-ra-mus".
    found = syllables.describe(
        ["ci", "mus", "te.", "A", "do"], ["Benedicimus", "Benedicimus", "te.", "Adoramus", "Adoramus"], [0, 0, 1, 2, 2]
    )
    assert found[:, 0].astype(int).tolist() == [0, 0, 1, 1, 0]
    assert found[:, 1].astype(int).tolist() == [0, 1, 1, 0, 0]
    # A word sung twice is two words.
    again = syllables.describe(["la", "la"], ["la", "la"], [0, 1])
    assert again[:, :2].tolist() == [[1, 1], [1, 1]]


def test_the_stage_writes_a_view_of_the_data_set(tmp_path: Path) -> None:
    rows = [(["Mei", "ne", "Seel\u2019", "er"], ["Meine", "Meine", "Seel\u2019", "erhebt"], [0, 0, 1, 2])] * 3
    samples = write_samples(tmp_path / "data" / "mtm", rows)
    out = tmp_path / "data" / "mtm" / "features" / "lyrics_syllables"
    command = [sys.executable, "-m", "stages.extract_syllables", "--samples", str(samples), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = parquet.metadata(out)
    assert (facts["dataset"], facts["source"], facts["extractor"], facts["weights"]) == (
        "mtm", "test", "syllables", "none",
    )  # fmt: skip
    parquet.write(
        tmp_path / "data" / "mtm" / "divisions" / parquet.shard_name(0),
        {"id": ["s0", "s1", "s2"], "split": ["train", "train", "test"]},
        types={"id": pa.string(), "split": pa.string()},
    )
    data = load_dataset("mtm", root=tmp_path / "data", views={"lyrics": "lyrics_syllables"})
    assert data.views["lyrics"].shape == (3, 4, 7)
    np.testing.assert_array_equal(data.views["lyrics"][1], syllables.describe(*rows[0]))
    before = (out / parquet.shard_name(0)).read_bytes()
    syllables.extract_folder(samples, out, compute=Compute(scratch=tmp_path / "scratch"))
    assert (out / parquet.shard_name(0)).read_bytes() == before


def test_samples_that_are_missing_or_do_not_fit_are_told(tmp_path: Path) -> None:
    compute = Compute(scratch=tmp_path / "scratch")
    with pytest.raises(DataError, match="no such file"):
        syllables.extract_folder(tmp_path / "none", tmp_path / "out", compute=compute)
    n = 3
    parquet.write(
        tmp_path / "samples" / parquet.shard_name(0),
        {"id": ["a"], "syllables": [["x"] * n], "words": [["x"] * n], "word_index": [[0]]},
        types={
            "id": pa.string(), "syllables": parquet.strings(n), "words": parquet.strings(n),
            "word_index": pa.list_(pa.int32(), 1),
        },
    )  # fmt: skip
    with pytest.raises(DataError, match="row 0: syllables, words and word_index differ in length"):
        syllables.extract_folder(tmp_path / "samples", tmp_path / "out", compute=compute)
    assert not (tmp_path / "out").exists()
