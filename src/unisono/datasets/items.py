"""Items of a data set by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisono.datasets.base import Part
from unisono.errors import DataError
from unisono.io import parquet

#: Rate to which the sound of a video is decoded, in Hz.
SOUNDTRACK_HZ = 16_000


def is_free(samples: Path) -> bool:
    """Say whether the texts of samples may be shown in full; those of damaged ones may not."""
    try:
        return bool(parquet.metadata(samples).get("free_text"))
    except DataError:
        return False


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


def heard(part: Part) -> tuple[np.ndarray, int]:
    """Decode a sound or a soundtrack: samples (n,) of float32 and their rate in Hz; `DataError` when damaged."""
    from unisono.media import audio, video

    if part.kind == "soundtrack":
        return video.sound(part.content, SOUNDTRACK_HZ), SOUNDTRACK_HZ
    return audio.decode(part.content)
