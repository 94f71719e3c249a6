"""Columns of tables as arrays: ids, labels, vectors and sequences of vectors, checked."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unisono.errors import DataError
from unisono.io import memory, parquet

#: Longest id or label.
MAX_TEXT_BYTES = 2**16


def unique_ids(column: pa.ChunkedArray, *, where: str) -> np.ndarray:
    """Check identifiers.

    Parameters
    ----------
    column : pa.ChunkedArray [n rows of string or integer]
    where : str
        File, for messages.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=str]

    Raises
    ------
    DataError
        None at all, a missing one, one that occurs twice, or values that are neither strings nor integers.
    """
    ids = to_labels(column, f"{where}: id").astype(str)
    if not len(ids):
        raise DataError(f"{where}: no rows")
    first, counts = np.unique(ids, return_index=True, return_counts=True)[1:]
    if (counts > 1).any():
        row = int(first[counts > 1].min())
        again = int(np.flatnonzero(ids == ids[row])[1])
        raise DataError(f"{where}: id {str(ids[row])!r} occurs twice, in rows {row} and {again}; ids must be unique")
    return ids


def to_labels(column: pa.ChunkedArray, where: str) -> np.ndarray:
    """Turn a column of strings or integers into an array.

    Parameters
    ----------
    column : pa.ChunkedArray [n rows]
        A dictionary-encoded column (a pandas categorical) is decoded.
    where : str
        File and column, for messages.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64 or str]

    Raises
    ------
    DataError
        A missing value, or values of another kind.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise DataError(f"{where}: row {row} is empty; fill it or drop the row")
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        texts = column.cast(pa.large_string()) if pa.types.is_string_view(kind) else column
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        # numpy gives every text the room of the longest.
        memory.check(4 * longest * len(column), column.nbytes, where)
        if longest > MAX_TEXT_BYTES:
            raise DataError(f"{where}: a text of {longest:,} bytes, at most {MAX_TEXT_BYTES:,} are read; shorten it")
        return np.array(parquet.to_list(column, where), dtype=np.str_)
    raise DataError(f"{where}: expected strings or integers, got {kind}")


def is_vectors(kind: pa.DataType) -> bool:
    """Whether a column of this type holds vectors or sequences of vectors of floats."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return bool(pa.types.is_floating(kind.value_type))
    levels = ""
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        levels += "f" if pa.types.is_fixed_size_list(kind) else "v"
        kind = kind.value_type
    # Rows may differ in time (outermost) and vectors may be lists of one width; nothing else may vary.
    return bool(re.fullmatch("v{0,2}f*", levels) and levels and pa.types.is_floating(kind))


def to_view(column: pa.ChunkedArray, *, where: str, axes: int = 3) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn a column of vectors, or of sequences of vectors, into one array.

    Parameters
    ----------
    column : pa.ChunkedArray [n rows]
        Of a type for which `is_vectors` holds.
    where : str
        File and column, for messages.
    axes : int
        Most axes of the array; what is more is flattened into the last one.

    Returns
    -------
    array : np.ndarray [shape=(n, d) or (n, T, d), dtype=float32]
        Sequences are zero-padded to the longest.
    lengths : np.ndarray [shape=(n,), dtype=int64] or None
        Real frames, where sequences differ in length.

    Raises
    ------
    DataError
        A missing value, vectors of different width, an empty sequence, NaN or infinity.
    """
    if column.null_count:
        raise DataError(f"{where}: row {column.is_null().index(True).as_py()} is empty; fill it or drop the row")
    try:
        values = parquet.to_numpy(column)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    lengths = None
    if isinstance(values, list):
        values, lengths = _pad(values, where)
    array = np.asarray(values, dtype=np.float32)
    if array.ndim > axes:
        array = array.reshape(*array.shape[: axes - 1], -1)
    finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if not finite.all():
        raise DataError(f"{where}: row {int(np.argmin(finite))} holds NaN or infinity; repair or drop the row")
    return array, lengths


def _pad(rows: list[Any], where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Stack rows of a plain list column: vectors of one width, or sequences padded to the longest."""
    # A list of lists without fixed size arrives as lists of vectors.
    widths = [{len(vector) for vector in row} if isinstance(row, list) else None for row in rows]
    for position, found in enumerate(widths):
        if found is not None and len(found) > 1:
            raise DataError(f"{where}: row {position} holds vectors of different width {sorted(found)}")
    arrays = [np.asarray(row, dtype=np.float32) for row in rows]
    counts = np.array([len(array) for array in arrays], dtype=np.int64)
    if not counts.all():
        raise DataError(f"{where}: row {int(np.argmin(counts))} is empty; drop the row")
    for position, array in enumerate(arrays):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise DataError(
                f"{where}: row {position} has vectors of shape {array.shape[1:]}, row 0 of {arrays[0].shape[1:]}"
            )
    if (counts == counts[0]).all():
        return np.stack(arrays), None
    if arrays[0].ndim == 1:
        row = int(np.argmax(counts != counts[0]))
        raise DataError(f"{where}: row {row} is {counts[row]} wide, row 0 {counts[0]}; all rows need one width")
    padded = np.zeros((len(arrays), counts.max(), *arrays[0].shape[1:]), dtype=np.float32)
    for target, array in zip(padded, arrays, strict=True):
        target[: len(array)] = array
    return padded, counts
