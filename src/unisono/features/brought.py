"""Features that a source of songs brings itself: they take the place of all feature sets of their view."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unisono.datasets import items
from unisono.datasets.columns import is_vectors
from unisono.io import parquet
from unisono.io.files import replacing_folder


def hand_on(samples: Path, out: Path, *, column: str, view: str) -> bool:
    """Hand the vectors of a source on as a feature set, where it brings any.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id`` and perhaps `column`.
    out : Path
        Folder of shards to write, under the same names: ``id`` and `view`.
    column : str
        ``audio`` or ``lyrics``.
    view : str
        Name of the feature set.

    Returns
    -------
    bool
        Whether there were any.

    Raises
    ------
    DataError
        The samples are missing or damaged.
    """
    if column not in items.columns_of(samples):
        return False
    facts = {key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")}
    facts |= {"extractor": "the source's own", "variant": "as they are", "weights": "the source's own"}
    with replacing_folder(out) as fresh:
        for path in parquet.shards(samples):
            table = parquet.read(path, ["id", column])
            kind = table.schema.field(column).type
            if not is_vectors(kind):
                return False
            columns = {"id": table["id"].to_pylist(), view: parquet.to_numpy(table[column])}
            parquet.write(fresh / path.name, columns, types={"id": pa.string(), view: kind}, metadata=facts)
    return True
