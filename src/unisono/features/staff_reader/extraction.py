"""The staff reader over a data set: from pictures in shards to rows of features in shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.features import staff_reader
from unisono.features.asmcmr import input as asmcmr_input
from unisono.features.staff_reader import rows
from unisono.io import parquet
from unisono.store.shards import Shard, map_shards

#: The feature set and its column.
NAME = "sheet_plain_notes"
#: Rows of an item: as many as a sample has notes.
N_ROWS = 20
VARIANT = "read notes, bumps of pitch and activations, a row a note"


def extract(pictures: Path, reader: Path, out: Path, *, name: str = NAME, compute: Compute) -> list[int]:
    """Read a folder of pictures, in parallel over its shards.

    Parameters
    ----------
    pictures : Path
        Folder of shards with ``id`` and ``picture``.
    reader : Path
        What the stage ``train_staff_reader`` wrote.
    out : Path
        Folder of shards with the same rows: ``id``, the features, (20, 60) each, and ``n_found``, the notes that were
        read: of more than 20 the doubtful ones are joined to those before them, of fewer the last is repeated.
    name : str
        Of the column of features.
    compute : Compute

    Returns
    -------
    list of int
        Per shard, the rows of which not exactly 20 notes were read.

    Raises
    ------
    DataError
        A file is missing or damaged, or a row's picture cannot be read.
    """
    staff_reader.Reader.load(reader)  # a wrong file is found before workers start
    shards = [
        Shard(path.name, (path, reader), n_items=parquet.read(path, []).num_rows) for path in parquet.shards(pictures)
    ]
    return map_shards(
        extract_shard, shards, out, params={"name": name}, compute=compute, description=f"read staves ({name})"
    )


def extract_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Read the pictures of one shard; see `extract`.

    Parameters
    ----------
    shard : Shard
        Its inputs are the shard of pictures and the reader.
    destination : Path
    params : mapping
        ``name``.

    Returns
    -------
    int
        Rows of which not exactly 20 notes were read.
    """
    pictures, reader_path = shard.inputs
    reader = staff_reader.Reader.load(reader_path)
    compute = staff_reader.apply(reader)
    name = params["name"]
    ids: list[str] = []
    read: list[tuple[np.ndarray, int]] = []
    for batch in parquet.iterate(pictures, ["id", "picture"]):
        for identity, picture in zip(batch["id"].to_pylist(), batch["picture"].to_pylist(), strict=True):
            grey = asmcmr_input.read_picture(picture["bytes"], f"{pictures}: id {identity!r}")
            ids.append(identity)
            read.append(rows.features(compute, grey, N_ROWS))
    values = np.array([features for features, _ in read], np.float32).reshape(-1, N_ROWS, rows.DIMENSIONS)
    found = [n for _, n in read]
    parquet.write(
        destination,
        {"id": ids, name: values, "n_found": found},
        types={"id": pa.string(), name: parquet.matrix(N_ROWS, rows.DIMENSIONS), "n_found": pa.int32()},
        metadata={
            **parquet.metadata(pictures),
            "extractor": "staff reader",
            "variant": VARIANT,
            "weights": "trained",
            **{key: reader.metadata[key] for key in ("adapted", "split_seed") if key in reader.metadata},
        },
    )
    return sum(n != N_ROWS for n in found)
