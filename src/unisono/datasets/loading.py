"""Built data sets as arrays: samples and features joined by id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unisono.config import nearest
from unisono.datasets import dealing
from unisono.errors import ConfigError, DataError
from unisono.io import memory, parquet

#: Folder of features that is not a view: single notes, which samples refer to.
_NOT_VIEWS = frozenset({"notes"})
#: Column with the number of real frames of zero-padded sequences.
FRAMES = "n_frames"
#: Longest id or label.
MAX_TEXT_BYTES = 2**16


@dataclass(frozen=True)
class Dataset:
    """Paired items as arrays: row i of everything is the same item.

    Attributes
    ----------
    name : str
    source : str
        Where the items came from (``"music21"``); stands beside every number computed from them.
    ids : np.ndarray [shape=(n,), dtype=str]
    views : dict of str to np.ndarray [shape=(n, d) or (n, T, d), dtype=float32]
        Zero-padded where sequences differ in length.
    lengths : dict of str to np.ndarray [shape=(n,), dtype=int64]
        Real frames, of padded views only.
    labels : np.ndarray [shape=(n,), dtype=int or str] or None
    splits : np.ndarray [shape=(n,), dtype=str] or None
        ``train``, ``validation`` or ``test``.
    folds : np.ndarray [shape=(n,), dtype=int64] or None
        The fold in which an item is tested.
    deals : np.ndarray [shape=(n, D), dtype=str] or None
        Several splits, one a column; "" for an item that a split leaves out.
    by_deal : dict of str to np.ndarray [shape=(n, D, d), dtype=float32]
        Of views whose extractor was trained on the training part of each deal: its features. `views` has those of the
        first.
    kinds : np.ndarray [shape=(n,), dtype=str] or None
        What else could explain that an item is found: its collection and language.
    categories : dict of str to np.ndarray [shape=(n,), dtype=str]
        Further classes of the items; "" where it is not known.
    groups : np.ndarray [shape=(n,), dtype=str] or None
        Items of one group (windows of one song) never lie in two parts.
    metadata : dict of str to dict
        Per view: extractor, variant, weights.
    dropped : dict of str to int
        Items left out because this view lacks them.
    """

    name: str
    source: str
    ids: np.ndarray
    views: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    labels: np.ndarray | None = None
    splits: np.ndarray | None = None
    folds: np.ndarray | None = None
    deals: np.ndarray | None = None
    by_deal: dict[str, np.ndarray] = field(default_factory=dict)
    kinds: np.ndarray | None = None
    categories: dict[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def load_dataset(name: str, *, root: Path | str = Path("data"), views: Mapping[str, str] | None = None) -> Dataset:
    """Load a data set that the pipeline has built.

    Parameters
    ----------
    name : str
        Its folder in `root`, for example ``"mtm"``.
    root : Path or str
        The project's data folder.
    views : mapping of str to str, optional
        View by view the feature set to take it from (``{"sheet": "sheet_plain"}``); all sets under their own
        names by default.

    Returns
    -------
    Dataset
        Items that have every view; the others are counted in `Dataset.dropped`. Items outside every fold are no part
        of it.

    Raises
    ------
    DataError
        The data set is not built, a feature set is missing, or the files do not fit together.
    """
    return load_folder(Path(root) / name, views=views)


def load_folder(folder: Path, *, views: Mapping[str, str] | None = None, division: str = "") -> Dataset:
    """Load a built data set from its folder; see `load_dataset`.

    Parameters
    ----------
    folder : Path
        Holds ``samples/``, ``divisions/`` and ``features/<set>/``, each a folder of Parquet shards with an ``id``
        column.
    views : mapping of str to str, optional
        As in `load_dataset`.
    division : str
        Which of several divisions (``"file"``); the usual one by default.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        As `load_dataset`.
    ConfigError
        There is no such division.
    """
    if not (folder / "samples").is_dir():
        raise DataError(f"{folder}: no data set here (no samples/); build it with `dvc repro`")
    facts = parquet.metadata(folder / "samples")
    categories = [str(name) for name in facts.get("categories", ())]
    samples = parquet.read(folder / "samples", columns=_present(folder / "samples", categories))
    ids = unique_ids(samples.column("id"), where=f"{folder}/samples")
    row_of = {identifier: row for row, identifier in enumerate(ids)}

    arrays: dict[str, np.ndarray] = {}
    lengths: dict[str, np.ndarray] = {}
    metadata: dict[str, dict[str, Any]] = {}
    by_deal: dict[str, np.ndarray] = {}
    rows: dict[str, np.ndarray] = {}
    for view, name in (views or _feature_sets(folder)).items():
        source = folder / "features" / name
        if not source.is_dir():
            known = _feature_sets(folder)
            raise DataError(f"{source}: no such features, for view {view!r}; {nearest(name, known)}")
        table = _features(source)
        identifiers = unique_ids(table.column("id"), where=str(source))
        unknown = next((identifier for identifier in identifiers if identifier not in row_of), None)
        if unknown is not None:
            raise DataError(f"{source}: id {str(unknown)!r} is not in {folder}/samples; run `dvc repro` again")
        rows[view] = np.array([row_of[identifier] for identifier in identifiers], dtype=np.int64)
        columns = [column for column in table.column_names if is_vectors(table.schema.field(column).type)]
        if not columns:
            raise DataError(f"{source}: no column of vectors; its columns: {', '.join(table.column_names)}")
        parts = [to_view(table.column(column), where=f"{source}: {column}") for column in columns]
        arrays[view] = np.concatenate([part[0] for part in parts], axis=-1)
        if parts[0][1] is not None:
            lengths[view] = parts[0][1]
        elif FRAMES in table.column_names:
            lengths[view] = _real_frames(table.column(FRAMES), arrays[view], where=f"{source}: {FRAMES}")
        metadata[view] = parquet.metadata(source)
        if metadata[view].get("per_deal"):
            if arrays[view].ndim != 3 or view in lengths:
                raise DataError(f"{source}: has features of no deals; run `dvc repro` again")
            by_deal[view], arrays[view] = arrays[view], arrays[view][:, 0]

    dealt = dealing.read(folder / "divisions")
    unknown = next((identifier for identifier in dealt if identifier not in row_of), None)
    if unknown is not None:
        raise DataError(f"{folder}/divisions: id {unknown!r} is not in {folder}/samples; run `dvc repro` again")
    in_folds = np.isin(ids, list(dealt))
    kept = in_folds.copy()
    dropped = {}
    for view, present in rows.items():
        missing = in_folds.copy()
        missing[present] = False
        kept &= ~missing
        if missing.any():
            dropped[view] = int(missing.sum())
    if not kept.any():
        raise DataError(f"{folder}: no item has all of the views {', '.join(arrays)}; run `dvc repro` again")
    for view, present in rows.items():
        # Position of each kept item in the view's own order.
        position = np.empty(len(ids), dtype=np.int64)
        position[present] = np.arange(len(present))
        arrays[view] = arrays[view][position[kept]]
        if view in by_deal:
            by_deal[view] = by_deal[view][position[kept]]
        if view in lengths:
            lengths[view] = lengths[view][position[kept]]

    def optional(column: str) -> np.ndarray | None:
        return (
            to_labels(samples.column(column), f"{folder}/samples: {column}")[kept]
            if column in samples.column_names
            else None
        )

    part = np.array([dealt[identifier] for identifier in ids[kept]])
    chosen = _deals(folder / "divisions", division)
    for view, array in by_deal.items():
        if part.shape[1:] != array.shape[1:2]:
            dealt_n = part.shape[1] if part.ndim == 2 else "no"
            raise DataError(
                f"{folder}: features of {view} are of {array.shape[1]} deals, the divisions hold {dealt_n}; run "
                "`dvc repro` again"
            )
    if chosen is not None:
        part, by_deal = part[:, chosen], {view: array[:, chosen] for view, array in by_deal.items()}
        arrays |= {view: array[:, 0] for view, array in by_deal.items()}
    return Dataset(
        name=str(facts.get("dataset", folder.name)),
        source=str(facts.get("source", folder)),
        ids=ids[kept],
        views=arrays,
        lengths=lengths,
        labels=optional("label"),
        splits=part if part.dtype.kind == "U" and part.ndim == 1 else None,
        folds=part if part.dtype.kind == "i" else None,
        deals=part if part.ndim == 2 else None,
        by_deal=by_deal,
        kinds=optional("kind"),
        categories={name: found for name in categories if (found := optional(name)) is not None},
        groups=optional("song"),
        metadata=metadata,
        dropped=dropped,
    )


def _features(source: Path) -> pa.Table:
    """Read a feature set, unless it becomes more than there is memory for."""
    names = parquet.schema(source).names
    if "id" not in names:
        raise DataError(f"{source}: no column 'id'; its columns: {', '.join(names)}")
    parquet.check_size(source, names)
    return parquet.read(source)


def _deals(divisions: Path, name: str) -> list[int] | None:
    """List the deals of a division; None where all are one."""
    known = dealing.read_divisions(divisions)
    if name and name not in known:
        told = nearest(name, known) if known else "the data set has only one"
        raise ConfigError(f"experiments: there is no division {name!r} in {divisions}; {told}")
    return known[name or next(iter(known))] if known else None


def _real_frames(column: pa.ChunkedArray, array: np.ndarray, *, where: str) -> np.ndarray:
    """Check the numbers of real frames of zero-padded sequences (n, T, d)."""
    counts = to_labels(column, where)
    rows = array.shape[1] if array.ndim == 3 else 1
    wrong = np.flatnonzero((counts < 1) | (counts > rows))
    if len(wrong):
        raise DataError(f"{where}: row {wrong[0]} claims {counts[wrong[0]]} real frames, expected 1 to {rows}")
    return counts


def _present(samples: Path, categories: Sequence[str]) -> list[str]:
    """Columns of the samples that a `Dataset` holds."""
    first = next(iter(parquet.iterate(samples, batch_size=1)), None)
    if first is None:
        raise DataError(f"{samples}: no rows; build the data set again with `dvc repro`")
    names = first.schema.names
    return [
        name for name in dict.fromkeys(("id", "label", "song", "kind", *categories)) if name in names or name == "id"
    ]


def _feature_sets(folder: Path) -> dict[str, str]:
    """All feature sets of a data set, under their own names."""
    found = sorted(path.name for path in (folder / "features").glob("*") if path.is_dir())
    names = [name for name in found if name not in _NOT_VIEWS]
    if not names:
        raise DataError(f"{folder}/features: no features here; extract them with `dvc repro`")
    return {name: name for name in names}


def unique_ids(column: pa.ChunkedArray, *, where: str) -> np.ndarray:
    """Check identifiers.

    Parameters
    ----------
    column : pa.ChunkedArray [n rows of string or integer]
    where : str
        File, for messages.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=str]

    Raises
    ------
    DataError
        None at all, a missing one, one that occurs twice, or values that are neither strings nor integers.
    """
    ids = to_labels(column, f"{where}: id").astype(str)
    if not len(ids):
        raise DataError(f"{where}: no rows")
    first, counts = np.unique(ids, return_index=True, return_counts=True)[1:]
    if (counts > 1).any():
        row = int(first[counts > 1].min())
        again = int(np.flatnonzero(ids == ids[row])[1])
        raise DataError(f"{where}: id {str(ids[row])!r} occurs twice, in rows {row} and {again}; ids must be unique")
    return ids


def to_labels(column: pa.ChunkedArray, where: str) -> np.ndarray:
    """Turn a column of strings or integers into an array.

    Parameters
    ----------
    column : pa.ChunkedArray [n rows]
        A dictionary-encoded column (a pandas categorical) is decoded.
    where : str
        File and column, for messages.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64 or str]

    Raises
    ------
    DataError
        A missing value, or values of another kind.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise DataError(f"{where}: row {row} is empty; fill it or drop the row")
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        texts = column.cast(pa.large_string()) if pa.types.is_string_view(kind) else column
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        # numpy gives every text the room of the longest.
        memory.check(4 * longest * len(column), column.nbytes, where)
        if longest > MAX_TEXT_BYTES:
            raise DataError(f"{where}: a text of {longest:,} bytes, at most {MAX_TEXT_BYTES:,} are read; shorten it")
        return np.array(parquet.to_list(column, where), dtype=np.str_)
    raise DataError(f"{where}: expected strings or integers, got {kind}")


def is_vectors(kind: pa.DataType) -> bool:
    """Whether a column of this type holds vectors or sequences of vectors of floats."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return bool(pa.types.is_floating(kind.value_type))
    levels = ""
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        levels += "f" if pa.types.is_fixed_size_list(kind) else "v"
        kind = kind.value_type
    # Rows may differ in time (outermost) and vectors may be lists of one width; nothing else may vary.
    return bool(re.fullmatch("v{0,2}f*", levels) and levels and pa.types.is_floating(kind))


def to_view(column: pa.ChunkedArray, *, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn a column of vectors, or of sequences of vectors, into one array.

    Parameters
    ----------
    column : pa.ChunkedArray [n rows]
        Of a type for which `is_vectors` holds.
    where : str
        File and column, for messages.

    Returns
    -------
    array : np.ndarray [shape=(n, d) or (n, T, d), dtype=float32]
        Sequences are zero-padded to the longest; more axes than time and one more are flattened.
    lengths : np.ndarray [shape=(n,), dtype=int64] or None
        Real frames, where sequences differ in length.

    Raises
    ------
    DataError
        A missing value, vectors of different width, an empty sequence, NaN or infinity.
    """
    if column.null_count:
        raise DataError(f"{where}: row {column.is_null().index(True).as_py()} is empty; fill it or drop the row")
    try:
        values = parquet.to_numpy(column)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    lengths = None
    if isinstance(values, list):
        values, lengths = _pad(values, where)
    array = np.asarray(values, dtype=np.float32)
    if array.ndim > 3:
        array = array.reshape(*array.shape[:2], -1)
    finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if not finite.all():
        raise DataError(f"{where}: row {int(np.argmin(finite))} holds NaN or infinity; repair or drop the row")
    return array, lengths


def _pad(rows: list[Any], where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Stack rows of a plain list column: vectors of one width, or sequences padded to the longest."""
    # A list of lists without fixed size arrives as lists of vectors.
    widths = [{len(vector) for vector in row} if isinstance(row, list) else None for row in rows]
    for position, found in enumerate(widths):
        if found is not None and len(found) > 1:
            raise DataError(f"{where}: row {position} holds vectors of different width {sorted(found)}")
    arrays = [np.asarray(row, dtype=np.float32) for row in rows]
    counts = np.array([len(array) for array in arrays], dtype=np.int64)
    if not counts.all():
        raise DataError(f"{where}: row {int(np.argmin(counts))} is empty; drop the row")
    for position, array in enumerate(arrays):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise DataError(
                f"{where}: row {position} has vectors of shape {array.shape[1:]}, row 0 of {arrays[0].shape[1:]}"
            )
    if (counts == counts[0]).all():
        return np.stack(arrays), None
    if arrays[0].ndim == 1:
        row = int(np.argmax(counts != counts[0]))
        raise DataError(f"{where}: row {row} is {counts[row]} wide, row 0 {counts[0]}; all rows need one width")
    padded = np.zeros((len(arrays), counts.max(), *arrays[0].shape[1:]), dtype=np.float32)
    for target, array in zip(padded, arrays, strict=True):
        target[: len(array)] = array
    return padded, counts
