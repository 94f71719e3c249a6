"""The files of an experiment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.errors import cannot_write
from unisono.evaluation.results import Result
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import write_csv

#: Files that not every experiment has: those of an earlier one in the same folder are removed.
OPTIONAL = {"precision_recall.csv", "history.csv", "tuning.csv", "embeddings.parquet", "rankings.parquet"}
#: Columns of what queries find, where items are of one view each.
RANKINGS = {
    "direction": pa.string(), "query": pa.string(), "found": pa.list_(pa.string()), "score": pa.list_(pa.float32()),
    "right": pa.list_(pa.bool_()), "precision": pa.float64(), "rank": pa.float64(), "pool": pa.int64(),
}  # fmt: skip


def write(result: Result, out: Path) -> None:
    """Write ``metrics.json``, ``embeddings.parquet``, ``model/`` and the tables (``parts.csv``, ``recall.csv``, ...).

    Where items are of one view each, ``rankings.parquet`` stands for the embeddings.

    Everything is written beside `out` first and moved in when complete, so that an interrupted run leaves
    what was there before.

    Parameters
    ----------
    result : Result
    out : Path
        Folder; other files in it stay.

    Raises
    ------
    DataError
        The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".unfinished-") as unfinished:
            new, old = Path(unfinished) / "new", Path(unfinished) / "old"
            old.mkdir()
            _write_files(result, new)
            for name in sorted({path.name for path in new.iterdir()} | OPTIONAL):
                if (out / name).exists():
                    (out / name).replace(old / name)
                if (new / name).exists():
                    (new / name).replace(out / name)
    except OSError as error:
        raise cannot_write(out, error, "or choose another --out") from None


def write_times(result: Result, path: Path) -> None:
    """Write the times, which differ from run to run and are tracked by nothing, as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(_to_json({name: round(value, 3) for name, value in result.times.items()}))


def _write_files(result: Result, folder: Path) -> None:
    folder.mkdir()
    (folder / "metrics.json").write_text(_to_json(result.metrics), encoding="utf-8")
    first = result.metrics.get("variants", [result.metrics])[0]
    facts = {key: first[key] for key in ("dataset", "source", "model", "params", "seed", "weights")}
    if result.embeddings:
        types = {name: _type(values) for name, values in result.embeddings.items()}
        parquet.write(folder / "embeddings.parquet", result.embeddings, types=types, metadata=facts)
    else:
        parquet.write(folder / "rankings.parquet", result.rankings, types=RANKINGS, metadata=facts)
    for name, table in result.tables.items():
        write_csv(folder / f"{name}.csv", table.columns, table.rows)
    for space, model in result.models.items():
        model.save(folder / "model" / space)


def _type(values: np.ndarray) -> Any:
    if values.ndim == 2:
        return parquet.vector(values.shape[1])
    return pa.int64() if values.dtype.kind == "i" else pa.string()


def _to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
