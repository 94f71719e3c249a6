"""Items of a data set by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from unisono.datasets.base import Part
from unisono.errors import DataError
from unisono.io import parquet


def columns_of(source: Path) -> list[str]:
    """Names of the columns of a folder of shards.

    Raises
    ------
    DataError
        It is missing or has no rows.
    """
    first = next(iter(parquet.iterate(source, batch_size=1)), None)
    if first is None:
        raise DataError(f"{source}: no rows; build it again with `dvc repro`")
    return list(first.schema.names)


def rows_of(source: Path, columns: Sequence[str], wanted: Iterable[str]) -> dict[str, Any]:
    """Read the rows of some ids, in bounded memory.

    Parameters
    ----------
    source : Path
        Folder of shards with a column ``id``.
    columns : sequence of str
    wanted : iterable of str
        Ids.

    Returns
    -------
    dict of str to list of pa.Scalar
        By id the values of `columns`; an id that is not there is left out.
    """
    left, found = set(wanted), {}
    for shard in parquet.shards(source):
        # Ids first: they are small, and most shards of a large data set hold none of those wanted.
        if left.isdisjoint(parquet.read(shard, ["id"]).column("id").to_pylist()):
            continue
        for batch in parquet.iterate(shard, ["id", *columns], batch_size=8):
            for row, item in enumerate(batch.column("id").to_pylist()):
                if item in left:
                    found[item] = [batch.column(column)[row] for column in columns]
                    left.remove(item)
    return found


def readable(source: Path, columns: Sequence[str], wanted: Iterable[str]) -> Iterator[tuple[str, list[Any]]]:
    """Yield id and row as `rows_of`; nothing where the folder or a column is missing or damaged."""
    try:
        found = rows_of(source, columns, wanted) if set(columns) <= set(columns_of(source)) else {}
    except DataError:
        found = {}
    yield from found.items()


def attempt(item: str, place: str, kind: str, make: Callable[..., Any], *content: Any) -> Iterator[Part]:
    """Yield a part of an item, what `make` gives for `content`, unless its file is damaged."""
    try:
        made = make(*content)
    except DataError:
        return
    yield Part(item, place, kind, made)
