"""A user's own Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unisono.datasets.user import load_features
from unisono.errors import DataError


def table(**changes: Any) -> dict[str, Any]:
    """Columns of a small valid file, some of them replaced; None drops one."""
    generator = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "id": [f"i{i}" for i in range(8)],
        "label": ["dog", "cat"] * 4,
        "a": [list(row) for row in generator.standard_normal((8, 3))],
        "b": [list(row) for row in generator.standard_normal((8, 2))],
        "note": ["ignored"] * 8,
        "count": list(range(8)),
        "tokens": [[1, 2]] * 8,
    }
    return {name: values for name, values in {**columns, **changes}.items() if values is not None}


def written(tmp_path: Path, **changes: Any) -> Path:
    """Write `table` and return its path."""
    path = tmp_path / "features.parquet"
    pq.write_table(pa.table(table(**changes)), path)
    return path


def test_columns_of_floats_are_views_and_others_are_ignored(tmp_path: Path) -> None:
    data = load_features(written(tmp_path))
    assert (data.name, data.source, len(data)) == ("features", "features.parquet", 8)
    assert {view: array.shape for view, array in data.views.items()} == {"a": (8, 3), "b": (8, 2)}
    assert data.labels is not None
    assert data.labels.tolist() == ["dog", "cat"] * 4
    assert data.splits is None
    assert data.folds is None


def test_every_way_to_store_vectors(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    flat = pa.array(values.ravel())
    tensor = pa.fixed_shape_tensor(pa.float32(), (3,))
    frames = pa.fixed_shape_tensor(pa.float32(), (2, 3))
    twice = np.repeat(values[:, None], 2, axis=1)
    changes = {
        "fixed": pa.FixedSizeListArray.from_arrays(flat, 3),
        "large": pa.array(values.tolist(), pa.large_list(pa.float64())),
        "half": pa.array(values.astype(np.float16).tolist(), pa.list_(pa.float16())),
        "tensor": pa.ExtensionArray.from_storage(tensor, pa.FixedSizeListArray.from_arrays(flat, 3)),
        "frames": pa.ExtensionArray.from_storage(frames, pa.FixedSizeListArray.from_arrays(pa.array(twice.ravel()), 6)),
        "lists": [[list(row)] * (1 + i % 2) for i, row in enumerate(values.tolist())],
    }
    data = load_features(written(tmp_path, a=None, b=None, **changes))
    assert set(data.views) == set(changes)
    for view in ("fixed", "large", "tensor"):
        np.testing.assert_array_equal(data.views[view], values)
    np.testing.assert_allclose(data.views["half"], values, atol=2e-3)
    np.testing.assert_array_equal(data.views["frames"], twice)
    assert data.views["lists"].shape == (8, 2, 3)
    np.testing.assert_array_equal(data.lengths["lists"], [1, 2] * 4)


def test_a_file_written_by_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame(table())
    frame["label"] = frame["label"].astype("category")
    frame.to_parquet(tmp_path / "frame.parquet")
    data = load_features(tmp_path / "frame.parquet")
    assert data.labels is not None
    assert data.labels.tolist() == ["dog", "cat"] * 4
    assert list(data.views) == ["a", "b"]


def test_split_and_fold_columns(tmp_path: Path) -> None:
    data = load_features(written(tmp_path, split=["train"] * 6 + ["test"] * 2))
    assert data.splits is not None
    assert data.splits.tolist() == ["train"] * 6 + ["test"] * 2
    data = load_features(written(tmp_path, fold=[3, 3, 5, 5, 3, 3, 5, 5]))
    assert data.folds is not None
    assert data.folds.tolist() == [3, 3, 5, 5, 3, 3, 5, 5]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"id": None}, "no column 'id'; its columns: label, a, b"),
        ({"id": ["x"] * 8}, "id 'x' occurs twice, in rows 0 and 1"),
        ({"id": [None, *"abcdefg"]}, "id: row 0 is empty"),
        ({"id": [0.5 * i for i in range(8)]}, "id: expected strings or integers, got double"),
        ({"b": None}, "at least two views .* are needed, got a; tokens holds list<.*int64>, no lists of floats$"),
        ({"label": [[1.0, 0.0]] * 8}, "label: expected strings or integers, got list<.*double>"),
        ({"a": [[1.0, np.nan]] * 8}, "a: row 0 holds NaN or infinity"),
        ({"a": [[1.0]] * 7 + [[np.inf]]}, "a: row 7 holds NaN or infinity"),
        ({"a": [[1.0, 2.0]] * 7 + [[1.0]]}, "a: row 7 is 1 wide, row 0 2; all rows need one width"),
        ({"a": [[1.0]] * 7 + [None]}, "a: row 7 is empty"),
        ({"a": [[1.0]] * 7 + [[]]}, "a: row 7 is empty"),
        ({"a": [[[1.0]]] * 7 + [[[1.0], [1.0, 2.0]]]}, r"a: row 7 holds vectors of different width \[1, 2\]"),
        ({"label": ["dog"] * 8}, "label: all rows are dog; give two classes or more, or drop the column"),
        ({"label": ["dog", None] * 4}, "label: row 1 is empty"),
        ({"label": [0.5] * 8}, "label: expected strings or integers"),
        ({"split": ["train"] * 7 + ["tset"]}, "split: row 7 is 'tset'; did you mean 'test'"),
        ({"split": ["train"] * 7 + ["test"]}, "split: fewer than two rows are 'test'"),
        ({"fold": [0] * 7 + [1]}, "fold 1 has one row"),
        ({"fold": ["x", "y"] * 4}, "fold: expected integers"),
        ({"fold": [0, 1] * 4, "split": ["train", "test"] * 4}, "'split' and 'fold' exclude each other"),
    ],
)
def test_bad_files_raise(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_features(written(tmp_path, **changes))


def test_columns_that_were_passed_over_are_named(tmp_path: Path) -> None:
    # A vector as Spark's ML stores it.
    spark = pa.struct([("type", pa.int8()), ("size", pa.int32()), ("values", pa.list_(pa.float64()))])
    rows = pa.array([{"type": 1, "size": None, "values": [1.0, 2.0]}] * 8, spark)
    with pytest.raises(DataError, match=r"got none; a holds struct<.*>, no lists of floats; b holds list<.*uint8>"):
        load_features(written(tmp_path, a=rows, b=pa.array([[1, 2]] * 8, pa.list_(pa.uint8()))))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    vectors = pa.array([[1.0, 2.0]] * 4, pa.list_(pa.float32(), 2))
    columns = [pa.array(["a", "b", "c", "d"]), vectors, vectors, vectors]
    pq.write_table(pa.Table.from_arrays(columns, names=["id", "audio", "sheet", "audio"]), path)
    with pytest.raises(DataError, match="two columns are called 'audio'; rename one"):
        load_features(path)


def test_a_folder_divided_by_label(tmp_path: Path) -> None:
    for label in ("cat", "dog a"):
        folder = tmp_path / "t" / f"label={label.replace(' ', '%20')}"
        folder.mkdir(parents=True)
        own = table(label=None, id=[f"{label}{i}" for i in range(8)])
        pq.write_table(pa.table(own), folder / "train-00000-of-00001.parquet")
    (tmp_path / "t" / "_SUCCESS").touch()
    (tmp_path / "t" / ".hidden.parquet").write_bytes(b"no table")
    data = load_features(tmp_path / "t")
    assert data.labels is not None
    assert data.labels.tolist() == ["cat"] * 8 + ["dog a"] * 8
    assert data.views["a"].shape == (16, 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: holds no \*\.parquet"):
        load_features(tmp_path / "empty")


def test_bad_views_raise(tmp_path: Path) -> None:
    path = written(tmp_path, cc=[[1.0]] * 8)
    assert list(load_features(path, views=["b", "cc"]).views) == ["b", "cc"]
    with pytest.raises(DataError, match="no view 'ccc'; did you mean 'cc'"):
        load_features(path, views=["a", "ccc"])
    with pytest.raises(DataError, match=r"column 'tokens' holds list<.*>, expected lists of floats"):
        load_features(path, views=["a", "tokens"])


def test_not_a_parquet_file_raises(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    with pytest.raises(DataError, match=r"features\.parquet: no such file"):
        load_features(path)
    path.write_text("id,a\n1,2\n")
    with pytest.raises(DataError, match="not a Parquet file"):
        load_features(path)
    pq.write_table(pa.table(table()).slice(0, 0), path)
    with pytest.raises(DataError, match="no rows"):
        load_features(path)


@pytest.mark.parametrize("name", ["../escape", "/abs", "nul\0", "x" * 300])
def test_a_views_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "features.parquet"
    vectors = pa.array([[1.0, 2.0]] * 4, pa.list_(pa.float32(), 2))
    columns = [pa.array(["a", "b", "c", "d"]), vectors, vectors, vectors]
    pq.write_table(pa.Table.from_arrays(columns, names=["id", "audio", "sheet", name]), path)
    with pytest.raises(DataError, match="rename the column"):
        load_features(path)
    assert load_features(path, views=["audio", "sheet"]).ids.tolist() == ["a", "b", "c", "d"]


def test_a_small_file_that_holds_gigabytes_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unisono.io import memory

    monkeypatch.setattr(memory, "SMALL", 10_000)
    path = tmp_path / "features.parquet"
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(1_000_000, np.float32)), 500)
    ids = pa.array([str(i) for i in range(2000)])
    pq.write_table(pa.table({"id": ids, "a": zeros, "b": zeros}), path, compression="zstd")
    with pytest.raises(DataError, match=r"claims .* bytes"):
        load_features(path)


def test_a_text_that_is_no_utf_8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    texts = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], "i4")), pa.py_buffer(b"a\xff")]
    )
    vectors = pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"id": texts, "a": vectors, "b": vectors}), path)
    with pytest.raises(DataError, match="not UTF-8"):
        load_features(path)
