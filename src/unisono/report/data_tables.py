"""Tables that describe data sets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from unisono.datasets import dealing
from unisono.errors import DataError
from unisono.features import syllables
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import markdown
from unisono.report.tables import write_csv

COLUMNS = (
    "view", "features", "extractor", "variant", "weights", "dimensions", "published_dimensions",
    "train", "validation", "test", "samples", "published_samples", "source",
)  # fmt: skip

#: The dissertation's Table 3.2: view of a feature set's first word, extractor, dimensions.
PUBLISHED = {"audio": "VGGish (20, 128)", "lyrics": "skip-gram (20, 20)", "sheet": "ASMCMR (20, 100, 32)"}
PUBLISHED_SAMPLES = 14454
#: Feature sets of lyrics that the dissertation has nothing like.
OWN = frozenset({syllables.NAME})

NOTES = (
    "Dimensions are of one sample (20 notes); `notes` is one distinct note, to which the notes of a sample "
    "refer: 20 of them are the note-level features of a sample.",
    "The dissertation's Table 3.2 gives lyrics (20, 20), its Table 6.1 an input of 40: 10 or 20 dimensions "
    "each for syllable and word (`mtm.features.skipgram.dimensions`).",
    "The published sample count is 14,454 here and 19,135 in the published split (13,535/2,800/2,800).",
)


def feature_rows(folder: Path) -> list[dict[str, Any]]:
    """Describe the features of a musical ternary data set (Table 3.2).

    Parameters
    ----------
    folder : Path
        The built data set: ``samples/`` and ``features/<set>/``.

    Returns
    -------
    list of dict
        One per feature set; keys are the table's columns.

    Raises
    ------
    DataError
        Samples or features are missing.
    """
    split_of = dealing.read(folder / "divisions")
    sets = sorted(path for path in (folder / "features").glob("*") if path.is_dir())
    if not sets:
        raise DataError(f"{folder}/features: no features here; extract them with `dvc repro`")
    found = []
    for source in sets:
        facts = parquet.metadata(source)
        first = next(iter(parquet.iterate(source, batch_size=1)), None)
        if first is None:
            raise DataError(f"{source}: no rows; extract these features again with `dvc repro`")
        key, *columns = first.schema.names
        identifiers = parquet.read(source, columns=[key]).column(key).to_pylist()
        # Single notes belong to samples of every part.
        counts = Counter(split_of.get(identifier, "") for identifier in identifiers)
        view = "sheet" if key == "key" or source.name.startswith("sheet") else source.name
        view = "lyrics" if source.name in OWN else view
        found.append(
            {
                "view": view,
                "features": source.name,
                "extractor": facts.get("extractor", ""),
                "variant": facts.get("variant", ""),
                "weights": facts.get("weights", ""),
                "dimensions": " + ".join(str(_shape(first.schema.field(column).type)) for column in columns),
                "published_dimensions": "" if source.name in OWN else PUBLISHED.get(view, ""),
                "train": counts["train"] or "",
                "validation": counts["validation"] or "",
                "test": counts["test"] or "",
                "samples": len(identifiers),
                "published_samples": "" if key == "key" or source.name in OWN else PUBLISHED_SAMPLES,
                "source": facts.get("source", ""),
            }
        )
    return found


def write_features(folder: Path, tables: Path) -> None:
    """Write Table 3.2, ``table_3_2.csv`` and ``table_3_2.md``.

    Parameters
    ----------
    folder : Path
        The built data set.
    tables : Path
        Folder for the two files.

    Raises
    ------
    DataError
        As `feature_rows`, or a file cannot be written.
    """
    found = feature_rows(folder)
    write_csv(tables / "table_3_2.csv", COLUMNS, found)
    lines = [["View", "Features", "Extractor", "Weights", "Dimensions", "Train", "Validation", "Test", "Samples", "D"]]
    for row in found:
        extractor = f"{row['extractor']} ({row['variant']})" if row["variant"] else row["extractor"]
        cells = [row["view"], row["features"], extractor, row["weights"], row["dimensions"]]
        cells += [row["train"], row["validation"], row["test"], row["samples"]]
        cells += [f"{row['published_dimensions']}, {PUBLISHED_SAMPLES:,} samples" if row["published_samples"] else ""]
        lines.append([str(cell) for cell in cells])
    sources = ", ".join(sorted({str(row["source"]) for row in found}))
    text = ["# Table 3.2: Features of the musical ternary data set", "", markdown(lines, "lllllrrrrl")]
    text += ["", f"- Source: {sources}.", *(f"- {note}" for note in NOTES), ""]
    with replacing(tables / "table_3_2.md") as temporary:
        temporary.write_text("\n".join(text), encoding="utf-8")


def _shape(kind: pa.DataType) -> str:
    """Write the shape of one row of a column: (20, 128); L for a length that differs."""
    sizes = []
    while pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        sizes.append(str(kind.list_size) if pa.types.is_fixed_size_list(kind) else "L")
        kind = kind.value_type
    return f"({', '.join(sizes)})"
