"""What a column of a Parquet file is: of Python's values and numpy's in Arrow, as leaves, for Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from unisono.errors import pass_machine

#: A sound or a picture: encoded bytes (FLAC, WAV, PNG, ...) and the file name they would have.
MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def to_arrow(values: Any, kind: pa.DataType, where: str) -> pa.Array:
    """Turn one column into an Arrow array of exactly `kind`, without nulls."""
    try:
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            array = values.cast(kind)
        elif kind == MEDIA:
            parts = [[row[i] for row in values] for i in range(2)]
            array = pa.StructArray.from_arrays(
                [pa.array(parts[0], pa.binary()), pa.array(parts[1], pa.string())], fields=list(kind)
            )
            if any(child.null_count for child in array.flatten()):
                raise ValueError("a sound or picture without bytes or file name")
        elif pa.types.is_list(kind) and pa.types.is_list(kind.value_type):
            # Lists of lists that differ in length each.
            array = pa.array(list(values), kind)
        elif pa.types.is_nested(kind) and _is_number(_innermost(kind)):
            array = _nested(values, kind)
        else:
            array = pa.array(values if isinstance(values, np.ndarray) else list(values), kind)
    except (pa.ArrowException, ValueError, TypeError) as error:
        pass_machine(error)
        raise ValueError(f"{where} is not {kind}: {error}") from error
    if array.null_count:
        raise ValueError(f"{where}: {array.null_count} values are missing")
    return array


def _nested(values: Any, kind: pa.DataType) -> pa.Array:
    """Pack numbers ``(n, ...)``, or ``(L_i, ...)`` a row for a plain list, without a Python object each."""
    dtype = _innermost(kind).to_pandas_dtype()
    if pa.types.is_fixed_size_list(kind):
        dims = _dims(kind)
        data = np.asarray(values, dtype=dtype)
        if len(data) == 0:
            data = data.reshape(0, *dims)
        if data.shape[1:] != dims:
            raise ValueError(f"got shape {data.shape}, expected (n, {', '.join(map(str, dims))})")
        array = pa.array(np.ascontiguousarray(data).reshape(-1))
        for level in reversed(_levels(kind)):
            array = pa.FixedSizeListArray.from_arrays(array, type=level)
        return array
    rows = [np.asarray(row, dtype=dtype) for row in values]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int32)
    inner = kind.value_type
    filled = [row for row in rows if len(row)]
    flat = np.concatenate(filled) if filled else np.empty((0, *_dims(inner)), dtype=dtype)
    child = _nested(flat, inner) if pa.types.is_nested(inner) else pa.array(flat)
    return pa.ListArray.from_arrays(pa.array(offsets), child, type=kind)


def _levels(kind: pa.DataType) -> list[pa.DataType]:
    """List the fixed-size list types from the outermost to the innermost."""
    levels = []
    while pa.types.is_fixed_size_list(kind):
        levels.append(kind)
        kind = kind.value_type
    return levels


def _dims(kind: pa.DataType) -> tuple[int, ...]:
    """Return the shape of one row of a fixed-size list type."""
    return tuple(level.list_size for level in _levels(kind))


def _innermost(kind: pa.DataType) -> pa.DataType:
    """Return the type of the numbers or strings inside nested lists."""
    while pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        kind = kind.value_type
    return kind


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Name the Parquet columns that a field becomes, with their types."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        yield from leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind


def feature(kind: pa.DataType) -> dict[str, Any]:
    """Describe a type in the JSON of Hugging Face `datasets` (its version 4 and later)."""
    if pa.types.is_fixed_size_list(kind):
        return {"feature": feature(kind.value_type), "length": kind.list_size, "_type": "List"}
    if pa.types.is_list(kind):
        return {"feature": feature(kind.value_type), "_type": "List"}
    names = {pa.float32(): "float32", pa.float64(): "float64"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}


def media_feature(kind: Literal["audio", "image"], sampling_rate: int | None) -> dict[str, Any]:
    """Describe a `MEDIA` column in the same JSON."""
    if kind == "image":
        return {"_type": "Image"}
    rate = {} if sampling_rate is None else {"sampling_rate": sampling_rate}
    return {**rate, "_type": "Audio"}
