"""Ready-made samples: a folder of shards with the columns of `unisono.datasets.mtm.samples.TYPES`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unisono.datasets.folds import PARTS
from unisono.datasets.mtm.samples import TYPES
from unisono.datasets.mtm.song import N_NOTES, clean
from unisono.errors import DataError
from unisono.io import parquet

#: Largest sample; the usual ones have 1,500 bytes.
MAX_ROW_BYTES = 2**16


def read(location: Path) -> list[dict[str, Any]]:
    """Read and check ready-made samples.

    Parameters
    ----------
    location : Path
        A Parquet file, or a folder of them. Columns ``split`` and ``kind`` may be there, too.

    Returns
    -------
    list of dict
        Rows as `unisono.datasets.mtm.samples.row` makes them; with ``split`` and ``kind`` where they were there.

    Raises
    ------
    DataError
        A file or column is missing, or a row is not a sample; names the row, what was got and expected.
    """
    files = parquet.given(location)
    first = next(iter(parquet.iterate(files, batch_size=1)), None)
    if first is None:
        raise DataError(f"{location}: no rows; a sample has {', '.join(TYPES)} (data/README.md)")
    names = first.schema.names
    wanted = [*TYPES, *(name for name in ("split", "kind") if name in names)]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise DataError(f"{location}: no column {missing[0]!r}; a sample has {', '.join(TYPES)} (data/README.md)")
    parquet.check_size(files, wanted)
    table = parquet.read(files, wanted)
    if table.nbytes > MAX_ROW_BYTES * len(table):
        raise DataError(
            f"{location}: {table.nbytes:,} bytes in {len(table)} rows, a sample has at most {MAX_ROW_BYTES:,}"
        )
    rows: list[dict[str, Any]] = parquet.to_list(table, str(location))
    seen: set[str] = set()
    for index, row in enumerate(rows):
        for problem in _problems(row):
            raise DataError(f"{location}: row {index}: {problem} (data/README.md)")
        if row["id"] in seen:
            raise DataError(f"{location}: row {index}: the id {row['id']!r} was there before; ids are unique")
        seen.add(row["id"])
        row["syllables"], row["words"] = list(map(clean, row["syllables"])), list(map(clean, row["words"]))
    return rows


def _problems(row: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with a row."""
    for name in ("id", "song", "title", "file", "part"):
        if not isinstance(row[name], str):
            yield f"{name} is {row[name]!r}, expected a text"
    if not isinstance(row.get("kind", ""), str):
        yield f"kind is {row['kind']!r}, expected a text"
    if not row["id"] or any(c in "/\\" or not c.isprintable() for c in row["id"]):
        yield f"id is {row['id']!r}, expected a name without slashes and control characters"
    if not isinstance(row["window"], int):
        yield f"window is {row['window']!r}, expected a whole number"
    for name in ("notes", "syllables", "words", "word_index"):
        if not isinstance(row[name], list) or len(row[name]) != N_NOTES:
            yield f"{name} is not a list of {N_NOTES}"
    for name in ("syllables", "words"):
        if not all(isinstance(text, str) and clean(text) for text in row[name]):
            yield f"{name} holds an entry without text"
    if not all(isinstance(index, int) for index in row["word_index"]):
        yield "word_index holds something else than whole numbers"
    if not all(map(_is_note, row["notes"])):
        yield "notes holds something else than [MIDI pitch 0-127, duration > 0, rest >= 0] in beats"
    if row.get("split", PARTS[0]) not in PARTS:
        yield f"split is {row['split']!r}, expected one of {', '.join(PARTS)}"


def _is_note(note: Any) -> bool:
    """Tell whether this is [pitch, duration, rest]."""
    if not isinstance(note, list) or len(note) != 3:
        return False
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in note):
        return False
    pitch, duration, rest = note
    return bool(pitch == int(pitch) and 0 <= pitch <= 127 and duration > 0 and rest >= 0)
