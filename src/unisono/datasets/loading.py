"""Built data sets as arrays: samples and features joined by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config import nearest
from unisono.datasets import dealing
from unisono.datasets.columns import is_vectors, to_labels, to_view, unique_ids
from unisono.errors import ConfigError, DataError
from unisono.io import parquet

#: Folder of features that is not a view: single notes, which samples refer to.
_NOT_VIEWS = frozenset({"notes"})
#: Column with the number of real frames of zero-padded sequences.
FRAMES = "n_frames"


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
    folds : np.ndarray [shape=(n,) or (n, D), dtype=int64] or None
        The fold in which an item is tested; where folds are dealt several times, in each deal.
    deals : np.ndarray [shape=(n, D), dtype=str] or None
        Several splits, one a column; "" for an item that a split leaves out.
    by_deal : dict of str to np.ndarray [shape=(n, D, d) or (n, D, T, d), dtype=float32]
        Of views whose extractor was trained on the training part of each deal: its features. `views` has those of the
        first.
    by_deal_lengths : dict of str to np.ndarray [shape=(n, D), dtype=int64]
        Real frames, of those that are padded sequences.
    tags : np.ndarray [shape=(n, D, W), dtype=int32] or None
        Where items are of one view each (`present`): what an item is about in each deal, padded with -1. Two items of
        different views are relevant to each other where they share a tag.
    present : dict of str to np.ndarray [shape=(n,), dtype=bool]
        With `tags`, the items that have a view; in the others' rows the view is zero.
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
    by_deal_lengths: dict[str, np.ndarray] = field(default_factory=dict)
    tags: np.ndarray | None = None
    present: dict[str, np.ndarray] = field(default_factory=dict)
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
    by_deal_lengths: dict[str, np.ndarray] = {}
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
        metadata[view] = parquet.metadata(source)
        per_deal = bool(metadata[view].get("per_deal"))
        axes = 4 if per_deal else 3
        parts = [to_view(table.column(column), where=f"{source}: {column}", axes=axes) for column in columns]
        arrays[view] = np.concatenate([part[0] for part in parts], axis=-1)
        if parts[0][1] is not None:
            lengths[view] = parts[0][1]
        elif FRAMES in table.column_names:
            lengths[view] = _real_frames(table.column(FRAMES), arrays[view], where=f"{source}: {FRAMES}")
        if per_deal:
            if arrays[view].ndim < 3 or (view in lengths) != (lengths.get(view, arrays[view]).ndim == 2):
                raise DataError(f"{source}: has features of no deals; run `dvc repro` again")
            by_deal[view] = arrays.pop(view)
            if view in lengths:
                by_deal_lengths[view] = lengths.pop(view)

    dealt = dealing.read(folder / "divisions")
    unknown = next((identifier for identifier in dealt if identifier not in row_of), None)
    if unknown is not None:
        raise DataError(f"{folder}/divisions: id {unknown!r} is not in {folder}/samples; run `dvc repro` again")
    tags = _read_tags(folder / "tags", row_of) if (folder / "tags").is_dir() else None
    in_folds = np.isin(ids, list(dealt))
    kept, dropped = _kept(in_folds, rows, each=tags is None)
    if not kept.any():
        raise DataError(f"{folder}: no item has all of the views {', '.join(rows)}; run `dvc repro` again")
    present = {} if tags is None else {view: np.isin(np.flatnonzero(kept), found) for view, found in rows.items()}
    for kind, blank in ((arrays, 0), (lengths, 1), (by_deal, 0), (by_deal_lengths, 1)):
        kind |= {view: _at(array, rows[view], kept, blank) for view, array in kind.items()}

    def optional(column: str) -> np.ndarray | None:
        return (
            to_labels(samples.column(column), f"{folder}/samples: {column}")[kept]
            if column in samples.column_names
            else None
        )

    part = np.array([dealt[identifier] for identifier in ids[kept]])
    if tags is not None:
        part, tags = part.reshape(len(part), -1), tags[kept]
    for what, array in (by_deal if tags is None else {**by_deal, "tags": tags}).items():
        count = array.shape[1]
        if part.shape[1:] != (count,):
            dealt_n = part.shape[1] if part.ndim == 2 else "no"
            raise DataError(
                f"{folder}: features of {what} are of {count} deals, the divisions hold {dealt_n}; run "
                "`dvc repro` again"
            )
    chosen = _deals(folder / "divisions", division)
    if chosen is not None:
        part = part[:, chosen]
        tags = None if tags is None else tags[:, chosen]
        for kind in (by_deal, by_deal_lengths):
            kind |= {view: array[:, chosen] for view, array in kind.items()}
    arrays |= {view: array[:, 0] for view, array in by_deal.items()}
    lengths |= {view: array[:, 0] for view, array in by_deal_lengths.items()}
    return Dataset(
        name=str(facts.get("dataset", folder.name)),
        source=str(facts.get("source", folder)),
        ids=ids[kept],
        views={view: arrays[view] for view in rows},
        lengths=lengths,
        labels=optional("label"),
        splits=part if part.dtype.kind == "U" and part.ndim == 1 else None,
        folds=part if part.dtype.kind == "i" and part.ndim == 1 else None,
        deals=part if part.ndim == 2 else None,
        by_deal=by_deal,
        by_deal_lengths=by_deal_lengths,
        tags=tags,
        present=present,
        kinds=optional("kind"),
        categories={name: found for name in categories if (found := optional(name)) is not None},
        groups=optional("song" if tags is None else "group"),
        metadata=metadata,
        dropped=dropped,
    )


def _kept(in_folds: np.ndarray, rows: Mapping[str, np.ndarray], *, each: bool) -> tuple[np.ndarray, dict[str, int]]:
    """Say which items take part: those with each view, or with any; and how many lack a view."""
    has = {view: np.zeros_like(in_folds) for view in rows}
    for view, found in rows.items():
        has[view][found] = True
    if not each:
        return in_folds & np.any(list(has.values()), axis=0), {}
    missing = {view: int((in_folds & ~found).sum()) for view, found in has.items()}
    return in_folds & np.all(list(has.values()), axis=0), {view: count for view, count in missing.items() if count}


def _at(array: np.ndarray, rows: np.ndarray, kept: np.ndarray, blank: int) -> np.ndarray:
    """Take the kept items of an array of some items, in the data set's order; blank where it lacks one."""
    position = np.full(len(kept), -1)
    position[rows] = np.arange(len(rows))
    at = position[kept]
    found: np.ndarray = array[at]
    if (at < 0).any():
        found[at < 0] = blank
    return found


def _read_tags(folder: Path, row_of: Mapping[str, int]) -> np.ndarray:
    """Read what every item is about in each deal, padded with -1: (n, D, W)."""
    table = parquet.read(folder, ["id", "tags"])
    kind = table.schema.field("tags").type
    if kind != pa.list_(pa.list_(pa.int32())):
        raise DataError(f"{folder}: tags is {kind}, expected lists of integers by deal; run `dvc repro` again")
    found = parquet.to_list(table["tags"], f"{folder}: tags")
    n_deals = max(map(len, found), default=0)
    width = max((len(own) for deals in found for own in deals), default=0)
    tags = np.full((len(row_of), n_deals, max(width, 1)), -1, dtype=np.int32)
    for identifier, deals in zip(unique_ids(table["id"], where=str(folder)), found, strict=True):
        row = row_of.get(identifier)
        if row is None or len(deals) != n_deals or any(tag < 0 for own in deals for tag in own):
            raise DataError(f"{folder}: tags of {str(identifier)!r} are none of {n_deals} deals; run `dvc repro` again")
        for deal, own in enumerate(deals):
            tags[row, deal, : len(own)] = own
    return tags


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
    if pa.types.is_fixed_size_list(column.type) and pa.types.is_integer(column.type.value_type):
        counts = np.asarray(parquet.to_numpy(column), dtype=np.int64)
    else:
        counts = to_labels(column, where)
    rows = array.shape[-2] if array.ndim >= 3 else 1
    wrong = (counts < 1) | (counts > rows)
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise DataError(f"{where}: row {row} claims {counts[wrong][0]} real frames, expected 1 to {rows}")
    return counts


def _present(samples: Path, categories: Sequence[str]) -> list[str]:
    """Columns of the samples that a `Dataset` holds."""
    first = next(iter(parquet.iterate(samples, batch_size=1)), None)
    if first is None:
        raise DataError(f"{samples}: no rows; build the data set again with `dvc repro`")
    names = first.schema.names
    return [
        name
        for name in dict.fromkeys(("id", "label", "song", "group", "kind", *categories))
        if name in names or name == "id"
    ]


def _feature_sets(folder: Path) -> dict[str, str]:
    """All feature sets of a data set, under their own names."""
    found = sorted(path.name for path in (folder / "features").glob("*") if path.is_dir())
    names = [name for name in found if name not in _NOT_VIEWS]
    if not names:
        raise DataError(f"{folder}/features: no features here; extract them with `dvc repro`")
    return {name: name for name in names}
