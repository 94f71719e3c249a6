"""ASMCMR over a data set: from pictures in shards to unit vectors in shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unisono.config.compute import Compute
from unisono.features import asmcmr
from unisono.features.asmcmr import input as asmcmr_input
from unisono.io import parquet
from unisono.store.shards import Shard, map_shards

VARIANT = "sheet branch with CCA layer, unit length"


def snippet_vectors(embed: Callable[[np.ndarray], np.ndarray], picture: np.ndarray, snippets: int) -> np.ndarray:
    """Embed equally spaced snippets of a picture; equal ones are computed once.

    Parameters
    ----------
    embed : callable
        From `asmcmr.embedder`, branch ``sheet``.
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        One line of staff on white.
    snippets : int

    Returns
    -------
    np.ndarray [shape=(snippets, 32), dtype=float32]
        Unit rows, from left to right.
    """
    strip = asmcmr_input.strip(picture)
    starts, repetition = np.unique(asmcmr_input.window_starts(strip.shape[1], snippets), return_inverse=True)
    return embed(asmcmr_input.snippets_at(strip, starts))[repetition]


def extract(pictures: Path, encoder: Path, out: Path, *, name: str, snippets: int, compute: Compute) -> list[int]:
    """Embed a folder of pictures, in parallel over its shards.

    Parameters
    ----------
    pictures : Path
        Folder of shards with ``picture`` and ``id``, or ``key`` where rows are not samples but distinct notes.
    encoder : Path
        What the stage ``train_asmcmr`` wrote.
    out : Path
        Folder of shards with the same rows: ``id`` (or ``key``) and the vectors, (snippets, 32) each.
    name : str
        Of the column of vectors.
    snippets : int
    compute : Compute

    Returns
    -------
    list of int
        Rows per shard.

    Raises
    ------
    DataError
        A file is missing or damaged, or a row's picture cannot be read.
    """
    asmcmr.Encoder.load(encoder)  # a wrong file is found before workers start
    shards = [
        Shard(path.name, (path, encoder), n_items=parquet.read(path, []).num_rows) for path in parquet.shards(pictures)
    ]
    return map_shards(
        extract_shard,
        shards,
        out,
        params={"name": name, "snippets": snippets},
        compute=compute,
        description=f"extract ASMCMR ({name})",
    )


def extract_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Embed the pictures of one shard; see `extract`.

    Parameters
    ----------
    shard : Shard
        Its inputs are the shard of pictures and the encoder.
    destination : Path
    params : mapping
        ``name`` and ``snippets``.

    Returns
    -------
    int
        Rows.
    """
    pictures, encoder_path = shard.inputs
    encoder = asmcmr.Encoder.load(encoder_path)
    embed = asmcmr.embedder(encoder, "sheet")
    name, snippets = params["name"], params["snippets"]
    facts = parquet.metadata(pictures)
    key = "id" if "id" in pq.read_schema(pictures).names else "key"
    keys: list[str] = []
    vectors: list[np.ndarray] = []
    for batch in parquet.iterate(pictures, [key, "picture"]):
        for identity, picture in zip(batch[key].to_pylist(), batch["picture"].to_pylist(), strict=True):
            grey = asmcmr_input.read_picture(picture["bytes"], f"{pictures}: {key} {identity!r}")
            keys.append(identity)
            vectors.append(snippet_vectors(embed, grey, snippets))
    parquet.write(
        destination,
        {key: keys, name: np.array(vectors, np.float32).reshape(-1, snippets, asmcmr.DIMENSIONS)},
        types={key: pa.string(), name: parquet.matrix(snippets, asmcmr.DIMENSIONS)},
        metadata={
            **facts,
            "extractor": "ASMCMR",
            "variant": VARIANT,
            "weights": encoder.metadata["weights"],
            "snippets": snippets,
            **{key: encoder.metadata[key] for key in ("adapted",) if key in encoder.metadata},
        },
    )
    return len(keys)
