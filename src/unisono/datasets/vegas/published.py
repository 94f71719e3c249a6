"""The authors' published features of VEGAS, in place of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.vegas import Vegas
from unisono.io import parquet, published
from unisono.io.files import replacing_folder

#: 5 MB for clips of one vector, 50 MB for 10 s of 128 + 1,024 numbers.
ROWS_PER_SHARD = 1024


def build(config: Vegas, location: str, *, out: Path) -> dict[str, Any]:
    """Write published features (`unisono.io.published`) as samples that hold their features already.

    Parameters
    ----------
    config : Vegas
    location : str
        File, folder, archive, or URL.
    out : Path
        Folder of shards, replaced as a whole: id, label, ``fold`` or ``split`` where published, and
        ``audio`` and ``visual``, one row of float32 per second, or a single one where the files hold one vector per
        clip. Numbers are as published; the metadata say what they look like (``scales``).

    Returns
    -------
    dict
        ``labels``, ``layout`` and ``scales``.

    Raises
    ------
    DataError
        As `unisono.io.published.read`.
    DownloadError
        The location cannot be fetched.
    """
    data = published.read(location, sha256=config.clips.features.sha256)
    columns: dict[str, Any] = {"id": data.ids, "label": data.labels}
    types = {"id": pa.string(), "label": pa.string()}
    if data.folds is not None:
        columns["fold"], types["fold"] = data.folds, pa.int32()
    if data.split is not None:
        columns["split"], types["split"] = data.split, pa.string()
    for view, arrays in (("audio", data.audio), ("visual", data.visual)):
        columns[view], types[view] = arrays, parquet.matrix(None, arrays[0].shape[1])
    metadata = {
        "dataset": "vegas",
        "source": "features",
        "n_samples": len(data.ids),
        "layout": data.layout,
        "scales": dict(data.scales),
    }
    with replacing_folder(out) as fresh:
        for index, start in enumerate(range(0, len(data.ids), ROWS_PER_SHARD)):
            rows = slice(start, start + ROWS_PER_SHARD)
            part = {name: values[rows] for name, values in columns.items()}
            for view in ("audio", "visual"):
                part[view] = [array.astype(np.float32) for array in part[view]]
            parquet.write(fresh / parquet.shard_name(index), part, types=types, metadata=metadata)
    return {"labels": data.labels, "layout": data.layout, "scales": dict(data.scales)}
