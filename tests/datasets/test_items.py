"""Items of a data set by id."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from unisono.datasets import items
from unisono.errors import DataError
from unisono.io import parquet


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three shards of two items."""
    for number in range(3):
        parquet.write(
            tmp_path / "samples" / parquet.shard_name(number),
            {"id": [f"a{number}", f"b{number}"], "value": [number, 10 * number]},
            types={"id": pa.string(), "value": pa.int64()},
        )
    return tmp_path / "samples"


def test_rows_by_id_from_any_shard(shards: Path) -> None:
    found = items.rows_of(shards, ["value"], ["b2", "a0", "nowhere"])
    assert {item: values[0].as_py() for item, values in found.items()} == {"a0": 0, "b2": 20}


def test_shards_without_a_wanted_item_are_not_read(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    iterate = parquet.iterate
    monkeypatch.setattr(parquet, "iterate", lambda path, *a, **k: opened.append(path.name) or iterate(path, *a, **k))
    items.rows_of(shards, ["value"], ["a1"])
    assert opened == ["part-00001.parquet"]


def test_columns(shards: Path, tmp_path: Path) -> None:
    assert items.columns_of(shards) == ["id", "value"]
    with pytest.raises(DataError, match="none: no such file"):
        items.columns_of(tmp_path / "none")
