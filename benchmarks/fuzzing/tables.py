"""Parquet and HDF5 written anew with odd types, shapes and giant contents."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np


def parquet_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write a table anew with a column of another type, other values, or of giant contents."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = pq.read_table(io.BytesIO(data))
    name = draw.choice(good.schema.names)
    at, n = good.schema.names.index(name), len(good)
    column = good.column(name)
    vectors = [[1.0, 2.0, 3.0, 4.0]] * n
    odd: dict[str, Callable[[], Any]] = {
        "nulls": lambda: pa.array([None] * n, column.type),
        "a null": lambda: pa.array([None, *column.to_pylist()[1:]], column.type),
        "type null": lambda: pa.nulls(n),
        "bool": lambda: pa.array([True] * n),
        "uint64": lambda: pa.array([2**64 - 1] * n, pa.uint64()),
        "int64": lambda: pa.array(range(n)),
        "date": lambda: pa.array([1] * n, pa.date32()),
        "timestamp": lambda: pa.array([2**62] * n, pa.timestamp("us")),
        "decimal": lambda: pa.array([1] * n).cast(pa.decimal128(38, 0)),
        "binary": lambda: pa.array([b"\xff\0"] * n),
        "struct": lambda: pa.array([{"a": 1, "bytes": b"x", "path": "y"}] * n),
        "struct with nulls": lambda: pa.array(
            [{"bytes": None, "path": None}] * n, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        ),
        "map": lambda: pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int32())),
        "dictionary": lambda: pa.array(["a", "b"] * n)[:n].dictionary_encode(),
        "dictionary of numbers": lambda: pa.array([1.5] * n).dictionary_encode(),
        "empty texts": lambda: pa.array([""] * n),
        "NUL texts": lambda: pa.array([f"\0{i}" for i in range(n)]),
        "paths": lambda: pa.array([f"../../x{i}" for i in range(n)]),
        "same texts": lambda: pa.array(["a"] * n),
        "no UTF-8": lambda: (
            pa.array([b"\xff%d" % i for i in range(n)]).cast(pa.string(), safe=False)
            if False
            else pa.Array.from_buffers(pa.string(), n, pa.array([b"\xff%d" % (i % 10) for i in range(n)]).buffers())
        ),
        "views of texts": lambda: pa.array(["a"] * n, pa.string_view()),
        "half": lambda: (
            pa.array(np.ones((n, 4), np.float16).reshape(-1)).cast(pa.float16())
            if False
            else pa.FixedSizeListArray.from_arrays(pa.array(np.ones(4 * n, np.float16)), 4)
        ),
        "doubles": lambda: pa.array(vectors, pa.list_(pa.float64())),
        "huge doubles": lambda: pa.array([[1e300] * 4] * n, pa.list_(pa.float64())),
        "NaN": lambda: pa.array([[float("nan")] * 4] * n, pa.list_(pa.float32())),
        "lists of other widths": lambda: pa.array([[1.0] * (i + 1) for i in range(n)], pa.list_(pa.float32())),
        "empty lists": lambda: pa.array([[]] * n, pa.list_(pa.float32())),
        "lists of nothing": lambda: pa.array([[]] * n, pa.list_(pa.null())),
        "nulls in lists": lambda: pa.array([[1.0, None]] * n, pa.list_(pa.float32())),
        "null lists": lambda: pa.array([None, *[[1.0]] * (n - 1)], pa.list_(pa.float32())),
        "null frames": lambda: pa.array([[[1.0], None]] * n, pa.list_(pa.list_(pa.float32()))),
        "deep lists": lambda: pa.array([_deep(1.0, 30)] * n),
        "lists of texts": lambda: pa.array([["a"]] * n),
        "lists of structs": lambda: pa.array([[{"a": 1.0}]] * n),
        "large lists": lambda: pa.array(vectors, pa.large_list(pa.float32())),
        "list views": lambda: pa.array(vectors, pa.list_view(pa.float32())),
        "fixed lists of none": lambda: pa.array([[]] * n, pa.list_(pa.float32(), 0)),
        "tensors": lambda: pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.float32(), [2, 2]), pa.array(vectors, pa.list_(pa.float32(), 4))
        ),
        "tensors turned": lambda: pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.float32(), [2, 2], permutation=[1, 0]),
            pa.array(vectors, pa.list_(pa.float32(), 4)),
        ),
        "uuid": lambda: pa.array([b"x" * 16] * n, pa.binary(16)),
        "a text of a million": lambda: pa.array(["x" * 1_000_000 + str(i) for i in range(n)]),
        "infinite": lambda: pa.array([[float("inf")] * 4] * n, pa.list_(pa.float64())),
        "integers in lists": lambda: pa.array([[1, 2]] * n),
        "8-bit in lists": lambda: pa.array([[1, 2, 3, 4]] * n, pa.list_(pa.uint8())),
    }
    whole: dict[str, Callable[[], Any]] = {
        "no rows": lambda: good.slice(0, 0),
        "one row": lambda: good.slice(0, 1),
        "twice the column": lambda: good.append_column(name, column),
        "without the column": lambda: good.drop_columns([name]),
        "an odd name": lambda: good.rename_columns(
            [draw.choice(_NAMES) if each == name else each for each in good.schema.names]
        ),
        "rows twice": lambda: pa.concat_tables([good, good]),
        "odd metadata": lambda: good.replace_schema_metadata(
            {
                "unisono": draw.choice(("[", "[1]", "null", "9" * 5000, "[" * 100_000, '{"source": 1}')),
                "huggingface": "x",
                "pandas": "{",
            }
        ),
        "2,000 more columns": lambda: _wide(good, 2000),
        "split and fold": lambda: good.append_column("split", pa.array(["train", "test"] * n)[:n]),
    }
    bombs: dict[str, Callable[[], Any]] = {
        "1 GB of zeros": lambda: _replaced(
            good, at, name, pa.array(np.zeros(25 * 10**7 // n * n, np.float32)), 25 * 10**7 // n
        ),
        "1 GB in one list": lambda: _one_list(good, at, name, 25 * 10**7),
        "200 MB of zeros": lambda: _replaced(
            good, at, name, pa.array(np.zeros(5 * 10**7 // n * n, np.float32)), 5 * 10**7 // n
        ),
        "3 million rows": lambda: pa.table(
            {each: pa.array(np.zeros(3_000_000, np.int64)) for each in good.schema.names}
        ),
        "a long text": lambda: (
            good.set_column(at, name, pa.array(["x" * 10**8 + str(i) for i in range(n)])) if n < 5 else good
        ),
    }
    kinds = draw.choice((odd, odd, odd, odd, odd, whole, whole, bombs))
    what = draw.choice(sorted(kinds))
    made = kinds[what]()
    if kinds is odd:
        made = good.set_column(at, name, made)
    options = {"compression": draw.choice(("zstd", "snappy", "gzip", "none", "brotli"))}
    if kinds is bombs:
        options = {"compression": "zstd", "compression_level": 12}
    with io.BytesIO() as file:
        pq.write_table(made, file, store_schema=draw.random() < 0.8, use_dictionary=kinds is not bombs, **options)
        return file.getvalue(), f"{name}: {what}"


_NAMES = ("", "../x", "/abs", "a\0b", "x" * 300, "é\u202e", "id", "a/b", "x.list.element", "\x1b[2J", "label")


def _deep(value: Any, n: int) -> Any:
    for _ in range(n):
        value = [value]
    return value


def _wide(table: Any, n: int) -> Any:
    import pyarrow as pa

    more = {f"c{i}": pa.array([[1.0]] * len(table), pa.list_(pa.float32())) for i in range(n)}
    return pa.table({**{name: table.column(name) for name in table.schema.names}, **more})


def _replaced(table: Any, at: int, name: str, flat: Any, width: int) -> Any:
    import pyarrow as pa

    return table.set_column(at, name, pa.FixedSizeListArray.from_arrays(flat, width))


def _one_list(table: Any, at: int, name: str, n: int) -> Any:
    import pyarrow as pa

    ends = np.zeros(len(table) + 1, np.int32)
    ends[-1] = n
    return table.set_column(at, name, pa.ListArray.from_arrays(pa.array(ends), pa.array(np.zeros(n, np.float32))))


def hdf5_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write an HDF5 file anew with one data set of another kind."""
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        arrays = {name: file[name][()] for name in names}
    name = draw.choice(sorted(arrays))
    array = arrays.pop(name)
    rows = len(array)
    text = h5py.string_dtype()
    odd: dict[str, Callable[[Any], Any]] = {
        "scalar": lambda f: f.create_dataset(name, data=1),
        "empty": lambda f: f.create_dataset(name, data=h5py.Empty("f")),
        "no rows": lambda f: f.create_dataset(name, shape=(0, 4), dtype="f4"),
        "4 GB, sparse": lambda f: f.create_dataset(name, shape=(2**20, 2**10), chunks=(2**10, 2**10), dtype="f4"),
        "1 TB, contiguous": lambda f: f.create_dataset(name, shape=(2**38,), dtype="f4"),
        "300 MB, sparse": lambda f: f.create_dataset(name, shape=(rows, 12_500_000), chunks=(1, 10**6), dtype="f4"),
        "250 MB, sparse": lambda f: f.create_dataset(name, shape=(rows, 10_000_000), chunks=(1, 10**6), dtype="f4"),
        "250 MB of bytes": lambda f: f.create_dataset(name, shape=(rows, 41_000_000), chunks=(1, 10**6), dtype="u1"),
        "250 MB of halves": lambda f: f.create_dataset(name, shape=(rows, 20_000_000), chunks=(1, 10**6), dtype="f2"),
        "a giant chunk": lambda f: f.create_dataset(
            name, shape=(2, 2**27), chunks=(2, 2**27), dtype="f4", compression="gzip"
        ),
        "wide": lambda f: f.create_dataset(
            name, shape=(rows, 2**40), maxshape=(None, None), chunks=(1, 2**10), dtype="f4"
        ),
        "texts": lambda f: f.create_dataset(name, data=["é", "x" * 100_000] * (rows // 2), dtype=text),
        "many texts": lambda f: f.create_dataset(name, shape=(2_000_000,), dtype=text, chunks=(100_000,)),
        "fixed texts": lambda f: f.create_dataset(name, data=np.array([b"\xff\xfe"] * rows)),
        "texts of 1 GB": lambda f: f.create_dataset(name, shape=(rows,), dtype="S1000000000", chunks=(1,)),
        "compound": lambda f: f.create_dataset(name, data=np.zeros(rows, [("a", "f4"), ("b", "i4")])),
        "enum": lambda f: f.create_dataset(name, shape=(rows,), dtype=h5py.enum_dtype({"a": 1})),
        "complex": lambda f: f.create_dataset(name, data=np.zeros((rows, 4), np.complex64)),
        "bool": lambda f: f.create_dataset(name, data=np.zeros((rows, 4), bool)),
        "big endian": lambda f: f.create_dataset(name, data=np.ones((rows, 4), ">f8")),
        "half": lambda f: f.create_dataset(name, data=np.ones((rows, 4), "f2")),
        "long doubles": lambda f: f.create_dataset(name, data=np.ones((rows, 4), np.longdouble)),
        "uint64": lambda f: f.create_dataset(name, data=np.full((rows, 4), 2**64 - 1, np.uint64)),
        "huge doubles": lambda f: f.create_dataset(name, data=np.full(np.shape(array), 1e300)),
        "NaN": lambda f: f.create_dataset(name, data=np.full(np.shape(array), np.nan, "f4")),
        "references": lambda f: f.create_dataset(name, shape=(rows,), dtype=h5py.ref_dtype),
        "ragged": lambda f: f.create_dataset(name, shape=(rows,), dtype=h5py.vlen_dtype(np.float32)),
        "opaque": lambda f: f.create_dataset(name, data=np.zeros(rows, "V8")),
        "arrays in rows": lambda f: f.create_dataset(name, shape=(rows,), dtype=np.dtype(("f4", (4,)))),
        "30 axes": lambda f: f.create_dataset(name, data=np.zeros((rows, *(1,) * 29), "f4")),
        "axes of none": lambda f: f.create_dataset(name, shape=(rows, 0, 2**50), dtype="f4"),
        "a group": lambda f: f.create_group(name),
        "a soft link": lambda f: f.__setitem__(name, h5py.SoftLink("/nowhere")),
        "a link to itself": lambda f: f.__setitem__(name, h5py.SoftLink(f"/{name}")),
        "an external link": lambda f: f.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/x")),
        "external": lambda f: f.create_dataset(name, shape=(100,), dtype="u1", external=[("/etc/passwd", 0, 100)]),
        "virtual": lambda f: _virtual(f, name),
        "a type": lambda f: f.__setitem__(name, np.dtype("f4")),
        "filters": lambda f: f.create_dataset(
            name, data=np.ones((rows, 4), "f4"), chunks=(1, 4), compression="lzf", fletcher32=True, shuffle=True
        ),
        "many groups": lambda f: [f.create_group(f"g{i}") for i in range(2000)],
        "deep groups": lambda f: f.create_group("/".join("g" * 300)),
        "attributes": lambda f: f.attrs.__setitem__("a", np.zeros(8000)),
    }
    what = draw.choice(sorted(odd))
    with io.BytesIO() as stream:
        with h5py.File(stream, "w", libver=draw.choice((None, "latest"))) as file:
            for other, values in arrays.items():
                file.create_dataset(other, data=values)
            odd[what](file)
        return stream.getvalue(), f"{name}: {what}"


def _virtual(file: Any, name: str) -> None:
    import h5py

    layout = h5py.VirtualLayout(shape=(6, 4), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(6, 4))
    file.create_virtual_dataset(name, layout)
