"""Parquet shards: the one format between stages.

**Conventions.** A data set is a folder of ``part-00000.parquet, part-00001.parquet, ...``. A tensor is a
nested fixed-size list (`vector`, `matrix`), a sequence of real length L a plain list of fixed-size lists, a
sound or picture a struct of its encoded bytes and a file name (`MEDIA`). Each file carries two keys of schema
metadata: ``huggingface``, so that Hugging Face `datasets` reads sounds, pictures and fixed lists as what they
are, and ``unisono``, a JSON object with the source, the tool or the extractor behind the numbers. No column
holds nulls. Writing the same rows again gives the same bytes, and every page carries a checksum.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unisono.errors import DataError, pass_machine
from unisono.io import _columns, memory
from unisono.io.files import replacing
from unisono.io.texts import from_json

#: A sound or a picture: encoded bytes (FLAC, WAV, PNG, ...) and the file name they would have.
MEDIA = _columns.MEDIA

#: Size of a row group in memory: small enough to stream, large enough to read fast.
ROW_GROUP_BYTES = 16 * 2**20

_KEY = b"unisono"


def vector(width: int) -> pa.DataType:
    """Type of a column of float32 vectors: one row is ``(width,)``."""
    return pa.list_(pa.float32(), width)


def matrix(rows: int | None, width: int) -> pa.DataType:
    """Type of a column of float32 matrices: one row is ``(rows, width)``; ``rows=None`` lets rows differ."""
    return pa.list_(vector(width)) if rows is None else pa.list_(vector(width), rows)


def strings(n: int) -> pa.DataType:
    """Type of a column of `n` strings per row."""
    return pa.list_(pa.string(), n)


def shard_name(index: int) -> str:
    """Return the file name of shard `index`: ``part-00000.parquet`` for 0."""
    return f"part-{index:05d}.parquet"


def shards(folder: Path) -> list[Path]:
    """List the shards of a folder in order.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        Sorted ``part-*.parquet``; never empty.

    Raises
    ------
    DataError
        The folder is missing or holds no shard.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; run the stage that writes it (`dvc repro`)")
    found = sorted(folder.glob("part-*.parquet"))
    if not found:
        raise DataError(f"{folder}: holds no part-*.parquet; run the stage that writes it again (`dvc repro`)")
    return found


def given(location: Path) -> list[Path]:
    """List the Parquet files that a user names.

    Parameters
    ----------
    location : Path
        A file, or a folder with files of any name ending in ``.parquet``, at any depth. Folders called ``label=cat``
        right above a file are columns of it, as pandas, Spark and Hive divide tables; `read` and `iterate` add them.

    Returns
    -------
    list of Path
        Sorted; never empty. Hidden files, and those whose names begin with ``_``, are no part of a table.

    Raises
    ------
    DataError
        There is no such file or folder, or no Parquet file in it.
    """
    if location.is_file():
        return [location]
    if not location.is_dir():
        raise DataError(f"{location}: no such file or folder; correct the path")
    found = sorted(
        path
        for path in location.rglob("*.parquet")
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(location).parts)
    )
    if not found:
        raise DataError(f"{location}: holds no *.parquet, nor does a folder in it")
    return found


def _divided_by(path: Path) -> dict[str, str]:
    """Columns that the folders right above a file stand for."""
    columns: dict[str, str] = {}
    for folder in path.parents:
        name, equals, value = folder.name.partition("=")
        if not equals or not name.isidentifier():
            break
        columns[name] = unquote(value)
    return columns


def write(
    path: Path,
    columns: Mapping[str, Any],
    *,
    types: Mapping[str, pa.DataType],
    metadata: Mapping[str, Any] | None = None,
    media: Mapping[str, Literal["audio", "image"]] | None = None,
    sampling_rate: int | None = None,
) -> None:
    """Write one Parquet file; it appears under its name only when complete.

    Parameters
    ----------
    path : Path
        Destination; its folder is made when missing.
    columns : mapping of str to list, np.ndarray or pa.Array [shape=(n, ...)]
        One entry per column, all with n rows. A `MEDIA` column is a list of ``(bytes, file name)``.
    types : mapping of str to pa.DataType
        Type of each column, same keys as `columns`; decides the order of the columns.
    metadata : mapping, optional
        JSON-able facts about the rows (data set, source, tool, variant); the function `metadata` reads them.
    media : mapping of str to {"audio", "image"}, optional
        What each `MEDIA` column holds.
    sampling_rate : int, optional
        Rate of the sounds, in Hz; Hugging Face `datasets` then decodes to that rate.

    Raises
    ------
    DataError
        The file cannot be written (disk full, no permission, ...); nothing is left behind.
    ValueError
        Columns and types do not fit together, or a value is missing.
    """
    media = media or {}
    if set(columns) != set(types):
        raise ValueError(f"{path}: columns {sorted(columns)} and types {sorted(types)} differ")
    arrays = {name: _columns.to_arrow(columns[name], types[name], f"{path}: column {name}") for name in types}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{path}: columns of different lengths: {lengths}")
    features = {
        name: _columns.media_feature(media[name], sampling_rate) if name in media else _columns.feature(kind)
        for name, kind in types.items()
    }
    schema = pa.schema(
        list(types.items()),
        metadata={
            b"huggingface": json.dumps({"info": {"features": features}}).encode(),
            _KEY: json.dumps(metadata or {}, ensure_ascii=False, allow_nan=False).encode(),
        },
    )
    table = pa.table(arrays, schema=schema)
    leaves = {leaf: kind for name, field in types.items() for leaf, kind in _columns.leaves(name, field)}
    row_bytes = table.nbytes // max(table.num_rows, 1) + 1
    with replacing(path) as temporary:
        pq.write_table(
            table,
            temporary,
            # FLAC and PNG are compressed already.
            compression={leaf: "NONE" if kind == pa.binary() else "ZSTD" for leaf, kind in leaves.items()},
            use_dictionary=[leaf for leaf, kind in leaves.items() if pa.types.is_string(kind)],
            write_statistics=[leaf for leaf in leaves if leaf in types],
            write_page_checksum=True,
            row_group_size=max(ROW_GROUP_BYTES // row_bytes, 1),
        )


def _files(source: Path | Sequence[Path]) -> list[Path]:
    """Resolve a file, a folder of shards or a list of files."""
    if not isinstance(source, Path):
        return list(source)
    return shards(source) if source.is_dir() else [source]


def _own(file: pq.ParquetFile, columns: Sequence[str] | None) -> list[str] | None:
    """Choose those of the columns that are in the file itself."""
    if columns is None:
        return None
    present = set(file.schema_arrow.names)
    return [name for name in columns if name in present]


def _complete(table: Any, path: Path, columns: Sequence[str] | None) -> Any:
    """Add to a table or batch the columns that its folders stand for."""
    for name, value in _divided_by(path).items():
        if name not in table.schema.names and (columns is None or name in columns):
            table = table.append_column(name, pa.array([value] * table.num_rows, pa.string()))
    return table if columns is None else table.select(columns)


@contextmanager
def _opened(path: Path, columns: Sequence[str] | None = None) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; what is wrong with it, there or while it is read, becomes a `DataError`."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; run the stage that writes it (`dvc repro`) or correct the path")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            own = file.schema_arrow.names
            present = dict.fromkeys([*own, *_divided_by(path)])
            twice = next((name for name, count in Counter(own).items() if count > 1), None)
            if twice is not None:
                raise DataError(f"{path}: two columns are called {twice!r}; rename one")
            missing = [name for name in columns or [] if name not in present]
            if missing:
                raise DataError(f"{path}: has no column {missing[0]!r}; its columns: {', '.join(present)}")
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last of names
        pass_machine(error)
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: not a Parquet file or damaged ({reason}); delete it and run the stage that writes it"
        ) from error


def read(source: Path | Sequence[Path], columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table into memory.

    Parameters
    ----------
    source : Path or sequence of Path
        A file, a folder of shards (read in order), or several files.
    columns : sequence of str, optional
        Only these, in this order.

    Returns
    -------
    pa.Table

    Raises
    ------
    DataError
        A file or column is missing, a file is damaged, or the files do not share a schema.
    """
    tables = []
    files = _files(source)
    for path in files:
        with _opened(path, columns) as file:
            own = _own(file, columns)
            # One row group at a time: Arrow cannot read more than 2 GiB of media in one piece.
            groups = [file.read_row_group(i, columns=own) for i in range(file.num_row_groups)]
            table = pa.concat_tables(groups) if groups else file.schema_arrow.empty_table()
            tables.append(_complete(table, path, columns))
    for path, table in zip(files, tables, strict=True):
        if not table.schema.equals(tables[0].schema, check_metadata=False):
            raise DataError(f"{path}: columns differ from those of {files[0]}; both must come from one stage's run")
    return pa.concat_tables(tables)


def check_size(source: Path | Sequence[Path], columns: Sequence[str]) -> None:
    """Hold what columns of files from outside become in memory against what there is.

    Parameters
    ----------
    source : Path or sequence of Path
    columns : sequence of str

    Raises
    ------
    DataError
        They claim more than `unisono.io.memory.check` allows, or the file is missing or damaged.
    """
    claimed, stored = 0, 0
    for path in _files(source):
        claimed += _claimed(path, columns)
        stored += path.stat().st_size
    memory.check(claimed, stored, str(source if isinstance(source, Path) else source[0]))


def _claimed(path: Path, columns: Sequence[str]) -> int:
    """Count the bytes that columns of a file become."""
    claimed = 0
    with _opened(path, columns) as file:
        for group in range(file.metadata.num_row_groups):
            row_group = file.metadata.row_group(group)
            if row_group.total_byte_size <= memory.SMALL:
                # Arrow aborts the process where facts of columns are damaged, unless it has met them as it reads.
                next(file.iter_batches(batch_size=1, row_groups=[group], columns=_own(file, columns)), None)
            for index in range(row_group.num_columns):
                part = row_group.column(index)
                if part.path_in_schema.split(".")[0] in columns:
                    # Numbers become 4 or 8 bytes each, however they are coded; texts are as long as they are.
                    claimed += max(8 * part.num_values, part.total_uncompressed_size)
    return claimed


def iterate(
    source: Path | Sequence[Path], columns: Sequence[str] | None = None, batch_size: int = 256
) -> Iterator[pa.RecordBatch]:
    """Stream a table in bounded memory.

    Parameters
    ----------
    source : Path or sequence of Path
        A file, a folder of shards (read in order), or several files.
    columns : sequence of str, optional
        Only these.
    batch_size : int
        Rows per batch, at most.

    Yields
    ------
    pa.RecordBatch

    Raises
    ------
    DataError
        As `read`.
    """
    for path in _files(source):
        with _opened(path, columns) as file:
            for batch in file.iter_batches(batch_size=batch_size, columns=_own(file, columns)):
                yield _complete(batch, path, columns)


def schema(source: Path | Sequence[Path]) -> pa.Schema:
    """Give the columns of a table and their types, of which no row is read; `DataError` where it is damaged."""
    path = _files(source)[0]
    with _opened(path) as file:
        found = file.schema_arrow
        more = [name for name in _divided_by(path) if name not in found.names]
        return pa.schema([*found, *(pa.field(name, pa.string()) for name in more)])


def metadata(source: Path) -> dict[str, Any]:
    """Read the facts that `write` was given.

    Parameters
    ----------
    source : Path
        A file, or a folder of shards (the first one is read).

    Returns
    -------
    dict
        Empty for a file that unisono did not write.

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    path = _files(source)[0]
    with _opened(path) as file:
        raw = (file.schema_arrow.metadata or {}).get(_KEY, b"{}")
    try:
        return dict(from_json(raw))
    except (ValueError, TypeError):
        raise DataError(f"{path}: its `unisono` metadata is not a JSON object; write the file again") from None


def to_list(values: pa.Table | pa.ChunkedArray, where: str) -> list[Any]:
    """Turn a table into dicts, a column into values; `DataError` where Python has none, as of dates and bad UTF-8."""
    try:
        found: list[Any] = values.to_pylist()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: a text that is not UTF-8 ({error.reason}); write it anew") from None
    except (OverflowError, ValueError) as error:
        raise DataError(f"{where}: a value that Python cannot hold ({error}); write it anew") from None
    return found


def to_numpy(column: pa.Array | pa.ChunkedArray) -> Any:
    """Turn a column into an array.

    Parameters
    ----------
    column : pa.Array or pa.ChunkedArray [n rows]
        Numbers, strings, fixed-size lists (nested too), fixed-shape tensors, or plain lists of these.

    Returns
    -------
    np.ndarray [shape=(n, ...)] or list of np.ndarray [shape=(L_i, ...)]
        The list for a column of plain lists, whose lengths may differ. Strings come as objects.
        Numbers are not copied when the column is in one piece, so the array may be read-only.

    Raises
    ------
    DataError
        A value is missing (null).
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # too large for one piece
        parts = [to_numpy(chunk) for chunk in array.chunks]
        return list(chain(*parts)) if isinstance(parts[0], list) else np.concatenate(parts)
    if array.null_count:
        raise DataError(f"{array.null_count} of {len(array)} values are null; fill or drop these rows")
    if isinstance(array, pa.FixedShapeTensorArray):
        return array.to_numpy_ndarray()
    kind = array.type
    if pa.types.is_fixed_size_list(kind):
        values = to_numpy(array.flatten())
        return values.reshape(len(array), kind.list_size, *values.shape[1:])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        values = to_numpy(array.flatten())
        ends = np.cumsum([0, *array.value_lengths().to_numpy(zero_copy_only=False)])
        return [values[start:end] for start, end in pairwise(ends)]
    return array.to_numpy(zero_copy_only=False)
