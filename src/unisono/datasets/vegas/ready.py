"""Ready-made shards, someone's own clips or features, in the columns of ``data/vegas/samples``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from unisono.datasets.columns import to_labels
from unisono.errors import DataError
from unisono.io import parquet


class Ready(NamedTuple):
    """Ready-made shards.

    Attributes
    ----------
    files : list of Path
    sizes : list of int
        Rows of each.
    folds : bool
        Whether the shards bring the fold of each clip.
    """

    files: list[Path]
    sizes: list[int]
    folds: bool


def look(folder: Path) -> Ready:
    """Check the columns of ready-made shards and that ids are unique.

    Parameters
    ----------
    folder : Path
        Shards with the columns id, label, video (bytes and file name) and optionally fold (-1 = outside every fold).

    Returns
    -------
    Ready

    Raises
    ------
    DataError
        A shard is damaged, lacks a column, differs from the first, or repeats an id.
    """
    files = parquet.given(folder)
    brought = ["fold" in _columns(path) for path in files]
    if len(set(brought)) > 1:
        raise DataError(f"{folder}: some shards have a column fold and some have none; write all alike")
    seen: dict[str, Path] = {}
    sizes = []
    for path in files:
        columns = ["id", "fold"] if brought[0] else ["id"]
        parquet.check_size(path, columns)
        table = parquet.read(path, columns)
        ids = to_labels(table["id"], f"{path}: id").astype(str).tolist()
        for identifier in ids:
            if identifier in seen:
                raise DataError(f"{path}: id {identifier!r} is also in {seen[identifier]}; ids must be unique")
            seen[identifier] = path
        if brought[0] and (not pa.types.is_integer(table.schema.field("fold").type) or table["fold"].null_count):
            raise DataError(f"{path}: fold is {table.schema.field('fold').type}, expected whole numbers in every row")
        sizes.append(len(ids))
    return Ready(files, sizes, brought[0])


def _columns(path: Path) -> list[str]:
    """Names of a shard's columns, of which some must be there."""
    schema = next(parquet.iterate(path, batch_size=1), pa.record_batch([], names=[])).schema
    for name in ("id", "label", "video"):
        if name not in schema.names:
            raise DataError(f"{path}: has no column {name!r}; it needs id, label and video (see data/README.md)")
    kind = schema.field("video").type
    if not pa.types.is_struct(kind) or {field.name for field in kind} != {"bytes", "path"}:
        raise DataError(f"{path}: video is {kind}, expected struct<bytes: binary, path: string>")
    return list(schema.names)
