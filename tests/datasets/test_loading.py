"""Built data sets as arrays, joined by id."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import unisono
from tests.divided import divide
from unisono.datasets import columns
from unisono.datasets.loading import load_dataset, load_folder
from unisono.errors import DataError
from unisono.io import parquet

Build = Callable[..., Path]


def test_views_come_as_arrays_with_ids_splits_groups_and_facts(make_mtm: Build) -> None:
    folder = make_mtm()
    data = unisono.load_dataset("mtm", root=folder.parent)
    assert (data.name, data.source, len(data)) == ("mtm", "fabricated", 120)
    assert {view: array.shape for view, array in data.views.items()} == {
        "audio": (120, 20, 16),
        "lyrics": (120, 20, 8),
        "sheet": (120, 3, 12),
        "sheet_plain": (120, 3, 12),
    }
    assert {array.dtype for array in data.views.values()} == {np.dtype(np.float32)}
    assert data.ids[:2].tolist() == ["s00-w00", "s00-w01"]
    assert data.groups is not None
    assert data.splits is not None
    assert data.groups[3] == "s01"
    assert dict(zip(*np.unique(data.splits, return_counts=True), strict=True)) == {
        "train": 84,
        "validation": 18,
        "test": 18,
    }
    assert data.labels is None
    assert data.metadata["audio"]["weights"] == "untrained"
    assert data.dropped == {}


def test_lyrics_are_syllables_then_words(make_mtm: Build) -> None:
    folder = make_mtm()
    table = parquet.read(folder / "features" / "lyrics")
    lyrics = load_folder(folder, views={"lyrics": "lyrics"}).views["lyrics"]
    np.testing.assert_array_equal(lyrics[..., :4], parquet.to_numpy(table.column("syllables")))
    np.testing.assert_array_equal(lyrics[..., 4:], parquet.to_numpy(table.column("words")))


def test_a_view_can_be_taken_from_another_feature_set(make_mtm: Build) -> None:
    folder = make_mtm()
    data = load_folder(folder, views={"audio": "audio", "sheet": "sheet_plain"})
    assert list(data.views) == ["audio", "sheet"]
    plain = parquet.to_numpy(parquet.read(folder / "features" / "sheet_plain").column("sheet_plain"))
    np.testing.assert_array_equal(data.views["sheet"], plain)


def test_items_that_lack_a_view_are_left_out_and_counted(make_mtm: Build) -> None:
    folder = make_mtm(missing="features/audio")
    whole = load_folder(folder, views={"sheet": "sheet"})
    joined = load_folder(folder, views={"sheet": "sheet", "audio": "audio"})
    assert (len(whole), len(joined), joined.dropped) == (120, 119, {"audio": 1})
    assert "s01-w00" not in joined.ids
    kept = whole.ids != "s01-w00"
    np.testing.assert_array_equal(joined.ids, whole.ids[kept])
    np.testing.assert_array_equal(joined.views["sheet"], whole.views["sheet"][kept])


def test_rows_are_joined_by_id_not_by_position(make_mtm: Build) -> None:
    folder = make_mtm()
    before = load_folder(folder, views={"audio": "audio"}).views["audio"]
    source = folder / "features" / "audio"
    table = parquet.read(source)
    turned = table.take(np.arange(len(table))[::-1])
    for path in parquet.shards(source):
        path.unlink()
    types = {name: table.schema.field(name).type for name in table.column_names}
    parquet.write(source / parquet.shard_name(0), {name: turned.column(name) for name in types}, types=types)
    np.testing.assert_array_equal(load_folder(folder, views={"audio": "audio"}).views["audio"], before)


def test_sequences_of_different_length_are_padded(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    text = pa.string()
    parquet.write(
        folder / "samples" / parquet.shard_name(0),
        {"id": ["a", "b"], "label": ["dog", "cat"], "fold": [0, 1]},
        types={"id": text, "label": text, "fold": pa.int64()},
        metadata={"source": "fabricated"},
    )
    parquet.write(
        folder / "features" / "audio" / parquet.shard_name(0),
        {"id": ["a", "b"], "audio": [np.ones((2, 3)), np.ones((4, 3))]},
        types={"id": text, "audio": parquet.matrix(None, 3)},
    )
    divide(folder)
    data = load_dataset("clips", root=tmp_path)
    np.testing.assert_array_equal(data.lengths["audio"], [2, 4])
    np.testing.assert_array_equal(data.views["audio"].sum(axis=(1, 2)), [6, 12])
    assert data.labels is not None
    assert data.folds is not None
    assert (data.labels.tolist(), data.folds.tolist()) == (["dog", "cat"], [0, 1])


def test_what_is_missing_or_does_not_fit_raises(make_mtm: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no data set here .*dvc repro"):
        load_dataset("nowhere", root=tmp_path)
    folder = make_mtm()
    with pytest.raises(DataError, match="no such features, for view 'sheet'; did you mean 'sheet_plain'"):
        load_folder(folder, views={"sheet": "sheet_plai"})
    source = folder / "features" / "audio" / parquet.shard_name(0)
    table = parquet.read(source)
    types = {name: table.schema.field(name).type for name in table.column_names}
    columns = {name: table.column(name) for name in types}
    parquet.write(source, {**columns, "id": ["x", *table.column("id").to_pylist()[1:]]}, types=types)
    with pytest.raises(DataError, match=r"id 'x' is not in .*samples"):
        load_folder(folder)
    parquet.write(source, {**columns, "id": ["s00-w01", *table.column("id").to_pylist()[1:]]}, types=types)
    with pytest.raises(DataError, match="id 's00-w01' occurs twice, in rows 0 and 1"):
        load_folder(folder)


def test_importing_unisono_imports_no_loader() -> None:
    code = "import unisono, unisono.datasets, sys; print(sum(m in sys.modules for m in ('numpy', 'pyarrow')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
    with pytest.raises(AttributeError, match="has no attribute 'load_datset'"):
        _ = unisono.load_datset


def test_real_frames_of_padded_sequences_and_items_outside_the_folds(tmp_path: Path) -> None:
    text, ids = pa.string(), ["a", "b", "c"]

    def write(n_frames: list[int]) -> None:
        parquet.write(
            tmp_path / "features" / "audio" / "part-00000.parquet",
            {"id": ids[:2], "audio": np.ones((2, 10, 3)), "n_frames": n_frames},
            types={"id": text, "audio": parquet.matrix(10, 3), "n_frames": pa.int32()},
        )

    parquet.write(
        tmp_path / "samples" / "part-00000.parquet",
        {"id": ids, "label": ["x", "y", "x"], "fold": [0, 1, -1]},
        types={"id": text, "label": text, "fold": pa.int32()},
        metadata={"dataset": "vegas", "source": "test"},
    )
    write([4, 10])
    data = load_folder(divide(tmp_path))
    assert data.ids.tolist() == ["a", "b"]
    assert data.dropped == {}
    assert data.lengths["audio"].tolist() == [4, 10]
    for wrong in (0, 11):
        write([4, wrong])
        with pytest.raises(DataError, match=f"n_frames: row 1 claims {wrong} real frames, expected 1 to 10"):
            load_folder(tmp_path)


def test_a_text_that_would_make_all_of_them_large_is_refused() -> None:
    column = pa.chunked_array([["a"] * 100_000 + ["b" * 5000]])
    with pytest.raises(DataError, match=r"x: label claims 2000020000 bytes"):
        columns.to_labels(column, "x: label")
    with pytest.raises(DataError, match=r"x: label: a text of 70,000 bytes"):
        columns.to_labels(pa.chunked_array([["b" * 70_000]]), "x: label")
    assert columns.to_labels(pa.chunked_array([["a", "é"]], pa.string_view()), "x").tolist() == ["a", "é"]


def test_texts_that_are_not_utf8_are_refused() -> None:
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"a"]).buffers())
    with pytest.raises(DataError, match="x: a text that is not UTF-8"):
        parquet.to_list(pa.chunked_array([broken]), "x")
    with pytest.raises(DataError, match="x: a text that is not UTF-8"):
        columns.to_labels(pa.chunked_array([broken]), "x")
