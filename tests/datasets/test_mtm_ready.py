"""Ready-made samples: what is accepted, what is refused and how it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from unisono.datasets.mtm import ready
from unisono.errors import DataError


def rows(n: int = 3) -> list[dict[str, Any]]:
    """`n` samples of n songs."""
    return [
        {
            "id": f"s{i}-w00",
            "song": f"s{i}",
            "title": "t",
            "file": "f",
            "part": "",
            "window": 0,
            "notes": [[60, 1.0, 0.0]] * 20,
            "syllables": ["la"] * 20,
            "words": ["la"] * 20,
            "word_index": list(range(20)),
            "split": "train",
        }
        for i in range(n)
    ]


def saved(folder: Path, values: list[dict[str, Any]], **drop: bool) -> Path:
    """Write as a user would: with pandas, plain lists and all."""
    frame = pd.DataFrame(values).drop(columns=list(drop))
    frame.to_parquet(folder / "part-00000.parquet")
    return folder


def test_what_pandas_writes_is_read(tmp_path: Path) -> None:
    read = ready.read(saved(tmp_path, rows()))
    assert [row["id"] for row in read] == ["s0-w00", "s1-w00", "s2-w00"]
    assert read[0]["notes"][0] == [60.0, 1.0, 0.0]


def test_the_split_may_be_missing(tmp_path: Path) -> None:
    assert "split" not in ready.read(saved(tmp_path, rows(), split=True))[0]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("id", "a/b", "row 1: id is 'a/b'"),
        ("id", "s0-w00", "row 1: the id 's0-w00' was there before"),
        ("notes", [[60, 1.0, 0.0]] * 19, "row 1: notes is not a list of 20"),
        ("notes", [[60, 1.0]] * 20, "notes holds something else"),
        ("notes", [[60, float("nan"), 0.0]] * 20, "notes holds something else"),
        ("notes", [[60.5, 1.0, 0.0]] * 20, "notes holds something else"),
        ("notes", [[60, 0.0, 0.0]] * 20, "notes holds something else"),
        ("syllables", ["la"] * 19 + [" \x00"], "syllables holds an entry without text"),
        ("words", None, "words is not a list of 20"),
        ("song", None, "song is None"),
        ("split", "dev", "split is 'dev', expected one of train, validation, test"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, key: str, value: Any, message: str) -> None:
    values = rows()
    values[1][key] = value
    with pytest.raises(DataError, match=message):
        ready.read(saved(tmp_path, values))


def test_a_missing_column_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'syllables'"):
        ready.read(saved(tmp_path, rows(), syllables=True))
    with pytest.raises(DataError, match="nowhere"):
        ready.read(tmp_path / "nowhere")
