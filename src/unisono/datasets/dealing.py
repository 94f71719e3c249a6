"""Divisions of a data set: the fold in which each item is tested, or its part of a split.

**Conventions.** A table of its own, ``divisions/``, joined by id where arrays are loaded, so that another number of
folds or another seed makes nothing again that does not learn from it. Shards hold ``id`` and ``fold`` (from 0) or
``split`` (``train``, ``validation``, ``test``) of the items that take part, or ``deals``: several splits side by side,
of which each may leave items out (""); where they are for different purposes, ``divisions`` in the metadata names them
(``{"song": [0, 1], "file": [2, 3]}``, the usual one first). ``outside.parquet`` holds the ids of the others, which are
never trained or tested on: whitening is fitted on them. It does not depend on the number of folds.
Samples with a column ``fold`` (-1 = outside) or ``split`` bring their division along, and it is taken over.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unisono.datasets.folds import PARTS
from unisono.errors import DataError
from unisono.io import files, parquet

if TYPE_CHECKING:
    from unisono.datasets.base import DataSet

#: File with the ids of the items outside every fold.
OUTSIDE = "outside.parquet"
TYPES = {"fold": pa.int32(), "split": pa.string()}
#: Columns that may hold the division.
COLUMNS = ("fold", "split", "deals")
_REMEDY = "run the stage that writes it again (`dvc repro`)"


def deal(dataset: DataSet, section: Any, *, samples: Path, out: Path, summary: Path) -> dict[str, Any]:
    """Write the divisions of a data set.

    Parameters
    ----------
    dataset : DataSet
        Deals where the samples bring no division.
    section : Section
        Its section of params.yaml.
    samples : Path
        Folder of shards with ``id`` and what the data set deals by.
    out : Path
        Folder of the shard and of `OUTSIDE`.
    summary : Path
        JSON of what is returned.

    Returns
    -------
    dict
        ``divided``: ``dealt`` or ``by the source``; items by part, and outside.

    Raises
    ------
    DataError
        A class has fewer items than there are folds, an id occurs twice, or a division that the samples bring is none.
    """
    present = next(iter(parquet.iterate(samples, batch_size=1)), pa.record_batch([], names=[])).schema.names
    if "id" not in present:
        raise DataError(f"{samples}: no rows; build the data set again with `dvc repro`")
    brought = next((column for column in ("fold", "split") if column in present), None)
    wanted = ["id", brought] if brought else ["id", *(column for column in dataset.dealt_by if column in present)]
    table = parquet.read(samples, wanted)
    ids = [str(value) for value in table["id"].to_pylist()]
    identifier, count = Counter(ids).most_common(1)[0]
    if count > 1:
        raise DataError(f"{samples}: id {identifier!r} occurs {count} times; ids must be unique")
    if brought:
        values = _checked(table[brought].to_pylist(), brought, samples)
        facts: dict[str, Any] = {"divided": "by the source"}
    else:
        values, more = dataset.deal(table, section)
        facts = {"divided": "dealt", **more}
    if values.ndim == 2:
        column, inside = "deals", (values != "").any(axis=1)
    elif values.dtype.kind == "U":
        column, inside = "split", values != ""
    else:
        column, inside = "fold", values >= 0
    if not inside.any():
        raise DataError(f"{samples}: every item is outside the folds (fold -1); nothing is left to train and test on")
    facts |= {"parts": _counts(values[inside]), "n_outside": int((~inside).sum())}
    metadata = {key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")} | facts
    columns = {"id": [ids[row] for row in np.flatnonzero(inside)], column: values[inside].tolist()}
    kind = parquet.strings(values.shape[1]) if column == "deals" else TYPES[column]
    parquet.write(out / parquet.shard_name(0), columns, types={"id": pa.string(), column: kind}, metadata=metadata)
    others = [ids[row] for row in np.flatnonzero(~inside)]
    parquet.write(out / OUTSIDE, {"id": others}, types={"id": pa.string()})
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _counts(values: np.ndarray) -> dict[str, Any]:
    """Count the items of every part; of several deals, part by part a list."""
    if values.ndim == 2:
        return {part: (values == part).sum(axis=0).tolist() for part in PARTS if (values == part).any()}
    parts = Counter(values.tolist())
    order = sorted(parts, key=PARTS.index) if values.dtype.kind == "U" else sorted(parts)
    return {str(part): parts[part] for part in order}


def _checked(values: list[Any], column: str, samples: Path) -> np.ndarray:
    """Check a division that samples bring."""
    if column == "split":
        wrong = next((row for row, value in enumerate(values) if value not in PARTS), None)
        expected = f"expected one of {', '.join(PARTS)}"
    else:
        wrong = next((row for row, value in enumerate(values) if not isinstance(value, int) or value < -1), None)
        expected = "expected a fold from 0, or -1 outside every fold"
    if wrong is not None:
        raise DataError(f"{samples}: row {wrong}: {column} is {values[wrong]!r}, {expected}")
    return np.array(values)


def read(folder: Path) -> dict[str, Any]:
    """Read the fold, the part, or the parts in all deals of every item that takes part, by id.

    Parameters
    ----------
    folder : Path
        ``data/<name>/divisions``.

    Returns
    -------
    dict of str to int, str or list of str

    Raises
    ------
    DataError
        It is missing, damaged, or none.
    """
    schema = parquet.schema(folder)
    column = next((name for name in COLUMNS if name in schema.names), None)
    if column is None or "id" not in schema.names:
        raise DataError(f"{folder}: holds no id with {', '.join(COLUMNS)}; {_REMEDY}")
    kinds = {name: schema.field(name).type for name in ("id", column)}
    fits = pa.types.is_integer(kinds[column]) if column == "fold" else _n_deals(kinds[column]) > 0
    if column == "split":
        fits = pa.types.is_string(kinds[column])
    if not pa.types.is_string(kinds["id"]) or not fits:
        raise DataError(f"{folder}: id is {kinds['id']} and {column} {kinds[column]}, which no stage writes; {_REMEDY}")
    parquet.check_size(folder, ["id", column])
    table = parquet.read(folder, ["id", column])
    ids, values = (parquet.to_list(table[name], str(folder)) for name in ("id", column))
    for identifier, value in zip(ids, values, strict=True):
        parts = value if column == "deals" else [value]
        known = parts and (column == "fold" or {*parts} <= {*PARTS, *([""] if column == "deals" else [])})
        if identifier is None or not known or None in parts:
            raise DataError(f"{folder}: {column} of {identifier!r} is {value!r:.100}, which is none; {_REMEDY}")
    return dict(zip(ids, values, strict=True))


def _n_deals(kind: pa.DataType) -> int:
    """Count the deals of a column of that type; 0 where it holds none."""
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) and pa.types.is_string(kind.value_type) else 0


def read_divisions(folder: Path) -> dict[str, list[int]]:
    """Say which deals each named division consists of, the usual one first; empty where they have no names.

    Raises
    ------
    DataError
        The file is missing or damaged, or names deals that it does not hold.
    """
    named = parquet.metadata(folder).get("divisions", {})
    schema = parquet.schema(folder)
    n = _n_deals(schema.field("deals").type) if "deals" in schema.names else 0
    for deals in named.values() if isinstance(named, dict) else [None]:
        if not isinstance(deals, list) or not deals or not all(type(deal) is int and 0 <= deal < n for deal in deals):
            raise DataError(f"{folder}: its divisions are {named!r:.100}, expected lists of {n} deals; {_REMEDY}")
    return dict(named)


def read_outside(file: Path) -> frozenset[str]:
    """Read the ids of the items outside every fold: `OUTSIDE`."""
    return frozenset(parquet.read(file, ["id"])["id"].to_pylist())
