"""Table 3.1: the features of the audio-visual data sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.errors import DataError
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import markdown
from unisono.report.tables import write_csv

COLUMNS = (
    "dataset", "view", "features", "extractor", "variant", "weights", "dimensions", "published_dimensions",
    "frames_min", "frames_mean", "frames_max", "items", "published_items", "source",
)  # fmt: skip

#: The dissertation's Table 3.1: extractor and width per second of each view, and items of each data set.
PUBLISHED = {"audio": "VGGish (L, 128)", "visual": "Inception (L, 1024)"}
PUBLISHED_ITEMS = {"vegas": 28103, "mv10k": 10000}
#: Names of the frame-level columns of YouTube-8M's videos, by view; features of the published files have the views'.
FRAME_COLUMNS = {"audio": ("audio",), "visual": ("rgb", "visual")}
MADE_BY_YOUTUBE8M = {"audio": "vggish", "visual": "inception"}

NOTES = (
    "L, the number of seconds: 2 to 10 in VEGAS, 213 to 219 in MV-10K. VEGAS's rows are zero-padded to 10.",
    "The dissertation's features are YouTube-8M's: pretrained networks, whitened by its own PCA, 8 bits. "
    "`untrained` is the same network with a fixed seed; `fitted` a whitening of fewer components, fitted on clips "
    "outside every fold.",
)


def vegas_rows(folder: Path) -> list[dict[str, Any]]:
    """Describe the feature sets of clips.

    Parameters
    ----------
    folder : Path
        The built data set: ``features/<set>/`` with ``n_frames``.

    Returns
    -------
    list of dict
        One per feature set; keys are the table's columns.

    Raises
    ------
    DataError
        Features are missing.
    """
    sets = sorted(path for path in (folder / "features").glob("*") if path.is_dir())
    if not sets:
        raise DataError(f"{folder}/features: no features here; extract them with `dvc repro`")
    found = []
    for source in sets:
        facts = parquet.metadata(source)
        frames = parquet.to_numpy(parquet.read(source, ["n_frames"]).column("n_frames"))
        width = _width(source, source.name)
        variant = ", ".join(filter(None, (facts.get("variant", ""), _whitened(facts, width))))
        found.append(_row("vegas", source.name, source.name, facts, variant, frames, width))
    return found


def _whitened(facts: Mapping[str, Any], width: int) -> str:
    """Say what came after the network."""
    kind = facts.get("whitening", "")
    if kind in ("", "none"):
        return ""
    return f"whitening to {width} {kind}, {facts.get('limits', 'unlimited')}"


def mv10k_rows(folder: Path) -> list[dict[str, Any]]:
    """Describe the frame-level features of music videos.

    Parameters
    ----------
    folder : Path
        The built data set: ``videos/`` with ``audio`` and ``rgb`` (or ``visual``).

    Returns
    -------
    list of dict
        One per view; keys are the table's columns.

    Raises
    ------
    DataError
        Videos are missing.
    """
    source = folder / "videos"
    facts = parquet.metadata(source)
    names = _schema(source).names
    frames = np.ones(1, dtype=int)
    if "n_frames" in names:
        frames = parquet.to_numpy(parquet.read(source, ["n_frames"]).column("n_frames"))
    items = parquet.read(source, ["id"]).num_rows
    simulated = facts.get("source") == "simulated"
    found = []
    for view, columns in FRAME_COLUMNS.items():
        column = next((name for name in columns if name in names), None)
        if column is None:
            raise DataError(f"{source}: has no column {columns[0]!r}; its columns: {', '.join(names)}")
        described = {
            "extractor": MADE_BY_YOUTUBE8M[view] if not simulated else "random model",
            "weights": "pretrained" if not simulated else "",
            "source": facts.get("source", ""),
        }
        variant = "as YouTube-8M publishes them" if not simulated else "written as YouTube-8M's 8-bit frames"
        row = _row("mv10k", view, column, described, variant, frames, _width(source, column))
        found.append(row | {"items": items})
    return found


def _row(
    dataset: str, view: str, features: str, facts: Mapping[str, Any], variant: str, frames: np.ndarray, width: int
) -> dict[str, Any]:
    """One row of the table."""
    return {
        "dataset": dataset,
        "view": view,
        "features": features,
        "extractor": facts.get("extractor", ""),
        "variant": variant,
        "weights": facts.get("weights", ""),
        "dimensions": f"(L, {width})",
        "published_dimensions": PUBLISHED.get(view, ""),
        "frames_min": int(frames.min()),
        "frames_mean": round(float(frames.mean()), 2),
        "frames_max": int(frames.max()),
        "items": len(frames),
        "published_items": PUBLISHED_ITEMS[dataset] if view in PUBLISHED else "",
        "source": facts.get("source", ""),
    }


def _schema(source: Path) -> pa.Schema:
    """Columns of a folder of shards."""
    first = next(iter(parquet.iterate(source, batch_size=1)), None)
    if first is None:
        raise DataError(f"{source}: no rows; build it again with `dvc repro`")
    return first.schema


def _width(source: Path, column: str) -> int:
    """Width of the vectors in a column."""
    schema = _schema(source)
    if column not in schema.names:
        raise DataError(f"{source}: has no column {column!r}; its columns: {', '.join(schema.names)}")
    return vector_width(schema.field(column).type)


def vector_width(kind: pa.DataType) -> int:
    """Tell the width of the vectors of a column by its type; 0 where it holds none."""
    width = 0
    while pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        width = kind.list_size if pa.types.is_fixed_size_list(kind) else 0
        kind = kind.value_type
    return int(width)


def write(vegas: Path, mv10k: Path, tables: Path) -> None:
    """Write Table 3.1, ``table_3_1.csv`` and ``table_3_1.md``.

    Parameters
    ----------
    vegas, mv10k : Path
        The built data sets.
    tables : Path
        Folder for the two files.

    Raises
    ------
    DataError
        As `vegas_rows` and `mv10k_rows`, or a file cannot be written.
    """
    found = vegas_rows(vegas) + mv10k_rows(mv10k)
    write_csv(tables / "table_3_1.csv", COLUMNS, found)
    lines = [["Data set", "View", "Extractor", "Weights", "Dimensions", "L (min, mean, max)", "Items", "D"]]
    for row in found:
        length = f"{row['frames_min']}, {row['frames_mean']:g}, {row['frames_max']}"
        extractor = f"{row['extractor']} ({row['variant']})"
        cells = [row["dataset"], row["view"], extractor, row["weights"], row["dimensions"], length, row["items"]]
        cells += [f"{row['published_dimensions']}, {row['published_items']:,} items" if row["published_items"] else ""]
        lines.append([str(cell) for cell in cells])
    sources = ", ".join(dict.fromkeys(f"{row['dataset']}: {row['source']}" for row in found))
    text = ["# Table 3.1: Features of the audio-visual data sets", "", markdown(lines, "llllllrl")]
    text += ["", f"- Source: {sources}.", *(f"- {note}" for note in NOTES), ""]
    with replacing(tables / "table_3_1.md") as temporary:
        temporary.write_text("\n".join(text), encoding="utf-8")
