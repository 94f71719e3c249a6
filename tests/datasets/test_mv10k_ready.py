"""Videos and tags that a user brings: ready-made shards, the published files, tables of tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest

from tests.datasets.mv10k import configured
from unisono.config.compute import Compute
from unisono.datasets.mv10k import quantisation, ready, tagged
from unisono.errors import DataError
from unisono.io import parquet


def write_videos(folder: Path, **changes: Any) -> Path:
    """Ready-made shards of three videos."""
    columns: dict[str, Any] = {
        "id": ["a", "b", "c"],
        "audio": [np.full((n, 128), n, np.uint8) for n in (2, 3, 4)],
        "rgb": [np.full((n, 1024), n, np.float32) for n in (2, 3, 4)],
        "label": ["x", "y", "x"],
        **changes,
    }
    types = {
        "id": pa.string(),
        "audio": pa.list_(pa.list_(pa.uint8(), 128)),
        "rgb": parquet.matrix(None, 1024),
        "label": pa.string(),
    }
    kept = {name: values for name, values in columns.items() if values is not None}
    parquet.write(folder / "part-00000.parquet", kept, types={name: types[name] for name in kept})
    return folder


def test_tags_of_the_user(tmp_path: Path, compute: Compute) -> None:
    videos = write_videos(tmp_path / "videos")
    tags = tmp_path / "tags.csv"
    tags.write_text("id,tag,more\nc,calm,1\na,angry,2\nelsewhere,calm,3\n")
    config = configured(source="parquet", emotion__tags=str(tags))
    assert tagged.build(config, compute, videos=videos, out=tmp_path / "tagged") == 2
    table = parquet.read(tmp_path / "tagged")
    assert table["id"].to_pylist() == ["a", "c"]
    assert table["tag"].to_pylist() == ["angry", "calm"]
    assert [len(audio) for audio in parquet.to_numpy(table["audio"])] == [2, 4]
    tags.write_text("id,tag\nelsewhere,calm\n")
    with pytest.raises(DataError, match="none of its 1 ids"):
        tagged.build(config, compute, videos=videos, out=tmp_path / "none")
    empty = configured(source="parquet")
    assert tagged.build(empty, compute, videos=videos, out=tmp_path / "none") == 0
    assert parquet.read(tmp_path / "none").num_rows == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column 'id'"),
        ("id,tag\na,\n", "line 2: id or tag is empty"),
        ("id,tag\na,x\na,y\n", "line 3: id 'a' occurs twice"),
        ("id,tag\n", "names no id"),
    ],
)
def test_damaged_tables_of_tags(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tags.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        tagged.read_pairs(path, ("id", "tag"))
    with pytest.raises(DataError, match="cannot be read"):
        tagged.read_pairs(tmp_path / "none.csv", ("id", "tag"))


def test_ready_made_shards(tmp_path: Path, compute: Compute) -> None:
    assert ready.from_parquet(write_videos(tmp_path / "own"), compute, out=tmp_path / "videos") == 3
    table = parquet.read(tmp_path / "videos")
    assert table["n_frames"].to_pylist() == [2, 3, 4]
    assert table["label"].to_pylist() == ["x", "y", "x"]
    assert parquet.to_numpy(table["audio"])[1].dtype == np.uint8
    assert parquet.to_numpy(table["rgb"])[2].shape == (4, 1024)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgb": None}, "has no column 'rgb'"),
        ({"id": ["a", "b", "a"]}, "id 'a' occurs 2 times"),
        ({"rgb": [np.ones((n, 1024)) for n in (2, 3, 5)]}, "c: 4 frames of audio and 5 of rgb"),
        ({"rgb": [np.full((n, 1024), np.nan) for n in (2, 3, 4)]}, "a: holds NaN"),
    ],
)
def test_damaged_ready_made_shards(tmp_path: Path, compute: Compute, changes: dict[str, Any], message: str) -> None:
    folder = write_videos(tmp_path / "own", **changes)
    with pytest.raises(DataError, match=message):
        ready.from_parquet(folder, compute, out=tmp_path / "videos")
    assert not (tmp_path / "videos").exists()


def test_published_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "mv10k.h5", "w") as file:
        for part, n in (("train", 6), ("test", 3)):
            file[f"audio_{part}"] = quantisation.dequantise(rng.integers(0, 256, (n, 128), np.uint8))
            file[f"visual_{part}"] = rng.integers(0, 256, (n, 1024), np.uint8)
            file[f"lab_{part}"] = np.arange(n) % 3
    out = tmp_path / "videos"
    assert ready.from_published(str(tmp_path / "mv10k.h5"), sha256="", out=out, shard_size=4) == 9
    table = parquet.read(out)
    assert len(parquet.shards(out)) == 3
    assert table["split"].to_pylist() == ["train"] * 6 + ["test"] * 3
    assert table["n_frames"].to_pylist() == [1] * 9
    facts = parquet.metadata(out)
    assert facts == {
        "dataset": "mv10k",
        "source": "features",
        "layout": "A",
        "scales": {"audio": "dequantised", "visual": "8-bit"},
    }
