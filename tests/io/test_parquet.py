"""Parquet shards: what comes back, who else can read them, and what damaged ones say."""

from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from unisono.errors import DataError, MachineError
from unisono.io import _columns, parquet

N = 7
TYPES = {
    "id": pa.string(),
    "window": pa.int32(),
    "notes": parquet.matrix(20, 3),
    "syllables": parquet.strings(20),
    "word_index": pa.list_(pa.int32(), 20),
    "frames": parquet.matrix(None, 4),
    "audio": parquet.MEDIA,
    "picture": parquet.MEDIA,
}
MEDIA = {"audio": "audio", "picture": "image"}


def flac(seed: int) -> bytes:
    """Encode a tenth of a second of noise at 16 kHz."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 1600)
    soundfile.write(buffer, noise, 16000, format="FLAC")
    return buffer.getvalue()


def png(seed: int) -> bytes:
    """Encode a small grey picture."""
    buffer = io.BytesIO()
    grey = np.random.default_rng(seed).integers(0, 255, (8, 5 + seed), dtype=np.uint8)
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def columns() -> dict:
    """Seven rows of every kind of column there is."""
    rng = np.random.default_rng(0)
    return {
        "id": [f"song-w{i:02d}" for i in range(N)],
        "window": np.arange(N),
        "notes": rng.random((N, 20, 3), dtype=np.float32),
        "syllables": [[f"la{i}é{j}" for j in range(20)] for i in range(N)],
        "word_index": np.tile(np.arange(20), (N, 1)),
        "frames": [rng.random((i, 4), dtype=np.float32) for i in range(N)],
        "audio": [(flac(i), f"{i}.flac") for i in range(N)],
        "picture": [(png(i), f"{i}.png") for i in range(N)],
    }


@pytest.fixture
def file(tmp_path: Path, columns: dict) -> Path:
    """Those rows, written."""
    path = tmp_path / "part-00000.parquet"
    parquet.write(path, columns, types=TYPES, metadata={"source": "tést"}, media=MEDIA, sampling_rate=16000)
    return path


def test_everything_comes_back(file: Path, columns: dict) -> None:
    table = parquet.read(file)
    assert table.schema.names == list(TYPES)
    assert {name: table.schema.field(name).type for name in TYPES} == TYPES
    notes = parquet.to_numpy(table["notes"])
    assert notes.dtype == np.float32
    np.testing.assert_array_equal(notes, columns["notes"])
    np.testing.assert_array_equal(parquet.to_numpy(table["word_index"]), columns["word_index"])
    assert parquet.to_numpy(table["syllables"]).tolist() == columns["syllables"]
    for got, expected in zip(parquet.to_numpy(table["frames"]), columns["frames"], strict=True):
        np.testing.assert_array_equal(got, expected)
    assert [(row["bytes"], row["path"]) for row in table["audio"].to_pylist()] == columns["audio"]
    assert parquet.metadata(file) == {"source": "tést"}


def test_a_slice_and_a_batch_convert_as_the_whole_does(file: Path, columns: dict) -> None:
    table = parquet.read(file).slice(2, 3)
    np.testing.assert_array_equal(parquet.to_numpy(table["notes"]), columns["notes"][2:5])
    assert [len(row) for row in parquet.to_numpy(table["frames"])] == [2, 3, 4]
    batches = list(parquet.iterate(file, ["notes"], batch_size=3))
    assert [batch.num_rows for batch in batches] == [3, 3, 1]
    got = np.concatenate([parquet.to_numpy(batch["notes"]) for batch in batches])
    np.testing.assert_array_equal(got, columns["notes"])


def test_an_array_in_one_piece_is_not_copied() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    array = _columns.to_arrow(values, parquet.matrix(3, 4), "here")
    assert np.shares_memory(parquet.to_numpy(array), values)


def test_fixed_shape_tensors_of_users_are_read() -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    array = pa.FixedShapeTensorArray.from_numpy_ndarray(values)
    np.testing.assert_array_equal(parquet.to_numpy(pa.chunked_array([array])), values)


def test_hugging_face_reads_it_as_it_is(file: Path, columns: dict, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.features["audio"] == datasets.Audio(sampling_rate=16000)
    assert loaded.features["picture"] == datasets.Image()
    assert loaded.features["notes"] == datasets.List(datasets.List(datasets.Value("float32"), length=3), length=20)
    assert loaded.features["frames"] == datasets.List(datasets.List(datasets.Value("float32"), length=4))
    written_by_them = datasets.Features(loaded.features).arrow_schema.metadata[b"huggingface"]
    assert json.loads(written_by_them) == json.loads(pq.read_schema(file).metadata[b"huggingface"])
    # Decoding sound needs `torchcodec`, which is not installed: that it would get the bytes is what counts.
    loaded = loaded.cast_column("audio", datasets.Audio(decode=False))
    np.testing.assert_array_equal(np.array(loaded["notes"][:], np.float32), columns["notes"])
    assert loaded[3]["syllables"] == columns["syllables"][3]
    np.testing.assert_array_equal(
        np.asarray(loaded[2]["picture"]), np.asarray(Image.open(io.BytesIO(columns["picture"][2][0])))
    )
    assert loaded[1]["audio"] == {"bytes": columns["audio"][1][0], "path": "1.flac"}
    assert soundfile.info(io.BytesIO(loaded[1]["audio"]["bytes"])).samplerate == 16000


def test_pandas_reads_it_as_it_is(file: Path, columns: dict) -> None:
    import pandas as pd

    frame = pd.read_parquet(file)
    assert list(frame["id"]) == columns["id"]
    assert frame["picture"][4]["bytes"] == columns["picture"][4][0]
    np.testing.assert_array_equal(np.stack([np.stack(row) for row in frame["notes"]]), columns["notes"])


def test_rewriting_gives_the_same_bytes(file: Path, columns: dict, tmp_path: Path) -> None:
    again = tmp_path / "again" / "part-00000.parquet"
    arrays = {name: parquet.read(file)[name] for name in TYPES}
    parquet.write(again, arrays, types=TYPES, metadata={"source": "tést"}, media=MEDIA, sampling_rate=16000)
    assert again.read_bytes() == file.read_bytes()
    assert b"pandas" not in pq.read_schema(file).metadata


def test_media_are_not_compressed_twice_and_row_groups_are_small(tmp_path: Path) -> None:
    path = tmp_path / "media.parquet"
    blob = np.random.default_rng(0).bytes(2**20)
    parquet.write(
        path,
        {"id": [str(i) for i in range(40)], "audio": [(blob, "a.flac")] * 40},
        types={"id": pa.string(), "audio": parquet.MEDIA},
        media={"audio": "audio"},
    )
    info = pq.ParquetFile(path).metadata
    assert [info.row_group(i).num_rows for i in range(info.num_row_groups)] == [15, 15, 10]
    compression = {
        info.row_group(0).column(i).path_in_schema: info.row_group(0).column(i).compression
        for i in range(info.num_columns)
    }
    assert compression == {"id": "ZSTD", "audio.bytes": "UNCOMPRESSED", "audio.path": "ZSTD"}
    assert path.stat().st_size < 41 * 2**20


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    for i in (10, 2, 0):
        parquet.write(tmp_path / parquet.shard_name(i), {"x": [i]}, types={"x": pa.int64()}, metadata={"i": i})
    assert parquet.read(tmp_path)["x"].to_pylist() == [0, 2, 10]
    assert parquet.metadata(tmp_path) == {"i": 0}
    backwards = list(reversed(parquet.shards(tmp_path)))
    assert parquet.read(backwards)["x"].to_pylist() == [10, 2, 0]


def test_an_empty_table_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    parquet.write(path, {name: [] for name in TYPES}, types=TYPES, media=MEDIA)
    table = parquet.read(path, ["notes", "frames"])
    assert table.schema.names == ["notes", "frames"]
    assert parquet.to_numpy(table["notes"]).shape == (0, 20, 3)
    assert parquet.to_numpy(table["frames"]) == []


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("notes", np.zeros((N, 19, 3)), r"notes.*\(7, 19, 3\)"),
        ("frames", [np.zeros((2, 5))] * N, "frames.*expected"),
        ("syllables", [["la"] * 19] * N, "syllables"),
        ("id", [None] * N, "id.*missing"),
        ("audio", [(None, "a.flac")] * N, "audio.*without bytes"),
        ("window", [1], "different lengths"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    tmp_path: Path, columns: dict, column: str, value: object, message: str
) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(ValueError, match=message):
        parquet.write(path, columns | {column: value}, types=TYPES, media=MEDIA)
    assert not list(tmp_path.iterdir())


def test_columns_and_types_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ"):
        parquet.write(tmp_path / "x.parquet", {"a": [1]}, types={"b": pa.int64()})


def test_a_full_disk_leaves_the_old_file(file: Path, columns: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def full(table: pa.Table, where: Path, **_: object) -> None:
        where.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(MachineError, match=r"part-00000.parquet: cannot be written: No space left"):
        parquet.write(file, columns, types=TYPES, media=MEDIA)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped"])
def test_a_damaged_file_is_named(file: Path, damage: str) -> None:
    whole = file.read_bytes()
    middle = len(whole) // 3
    file.write_bytes(
        {
            "empty": b"",
            "text": b"id,window\n1,2\n",
            "truncated": whole[:-100],
            "flipped": whole[:4] + bytes(middle) + whole[4 + middle :],
        }[damage]
    )
    with pytest.raises(DataError, match=r"part-00000.parquet: not a Parquet file or damaged.*run the stage"):
        parquet.read(file)
    with pytest.raises(DataError, match=r"part-00000.parquet"):
        list(parquet.iterate(file))


def test_what_is_missing_is_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.parquet: no such file"):
        parquet.read(tmp_path / "gone.parquet")
    with pytest.raises(DataError, match="no such folder"):
        parquet.shards(tmp_path / "gone")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="holds no part"):
        parquet.read(tmp_path / "folder")
    with pytest.raises(DataError, match="has no column 'pitch'; its columns: id, window"):
        parquet.read(file, ["id", "pitch"])


def test_shards_of_different_runs_are_refused(tmp_path: Path) -> None:
    parquet.write(tmp_path / "part-00000.parquet", {"x": [1]}, types={"x": pa.int64()})
    parquet.write(tmp_path / "part-00001.parquet", {"y": [1]}, types={"y": pa.int64()})
    with pytest.raises(DataError, match=r"part-00001.parquet: columns differ"):
        parquet.read(tmp_path)


def test_a_foreign_file_has_no_metadata_and_may_hold_nulls(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, None]}), tmp_path / "x.parquet")
    assert parquet.metadata(tmp_path / "x.parquet") == {}
    with pytest.raises(DataError, match="1 of 2 values are null"):
        parquet.to_numpy(parquet.read(tmp_path / "x.parquet")["x"])


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = pa.table({"a": [1]})
    pq.write_table(table.append_column("a", pa.array([2])), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="two columns are called 'a'; rename one"):
        parquet.read(tmp_path / "x.parquet")


def test_columns_are_named_without_a_row(tmp_path: Path) -> None:
    path = tmp_path / "label=cat" / "mine.parquet"
    parquet.write(path, {"id": [], "x": np.empty((0, 3))}, types={"id": pa.string(), "x": parquet.vector(3)})
    assert parquet.schema(path) == pa.schema({"id": pa.string(), "x": parquet.vector(3), "label": pa.string()})
    # The pages are damaged, the footer is not.
    parquet.write(path, {"id": ["a" * 999]}, types={"id": pa.string()})
    data = bytearray(path.read_bytes())
    data[4:40] = bytes(36)
    path.write_bytes(data)
    assert parquet.schema([path]).names == ["id", "label"]
    with pytest.raises(DataError, match="no such file"):
        parquet.schema(tmp_path / "none.parquet")


def test_dates_beyond_pythons_are_one_line() -> None:
    values = pa.chunked_array([pa.array([2**62], pa.timestamp("us"))])
    for column in (values, pa.table({"mode": values})):
        with pytest.raises(DataError, match=r"mine: a value that Python cannot hold \(date value out of range\)"):
            parquet.to_list(column, "mine")


def test_no_damage_of_the_footer_ends_the_process(tmp_path: Path) -> None:
    """Arrow aborts where it is asked for the facts of a damaged column."""
    path = tmp_path / "mine.parquet"
    columns = {"id": ["a", "b"], "x": np.ones((2, 4, 3), np.float32)}
    parquet.write(path, columns, types={"id": pa.string(), "x": parquet.matrix(4, 3)}, metadata={"per_deal": True})
    good = path.read_bytes()
    start = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    code = f"""
import os, pathlib
from unisono.errors import DataError
from unisono.io import _columns, parquet
path = pathlib.Path({str(path)!r})
good = path.read_bytes()
for place in range({start}, {start} + 100):
    path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
    child = os.fork()
    if not child:
        try:
            parquet.check_size(path, ["id", "x"])
        except DataError:
            pass
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(place)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-500:]
