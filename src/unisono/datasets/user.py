"""A user's own features: a Parquet file, or a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from unisono.config import nearest
from unisono.config.keys import check_views
from unisono.datasets.columns import is_vectors, to_labels, to_view, unique_ids
from unisono.datasets.loading import Dataset
from unisono.errors import DataError
from unisono.io import parquet

#: First bytes of every Parquet file.
_MAGIC = b"PAR1"
_SPLITS = ("train", "validation", "test")
#: Columns that are no views.
_SPECIAL = ("id", "label", "split", "fold", "group")


def load_features(path: Path, *, views: Sequence[str] | None = None) -> Dataset:
    """Load paired features.

    Parameters
    ----------
    path : Path
        Parquet file, or folder of them (see `unisono.io.parquet.given`), with ``id`` (string), optional ``label``
        (string or integer), optional ``split`` (``train``, ``test``; ``validation`` rows are used for neither) or
        ``fold`` (integer), optional ``group`` (string or integer: rows of one song, say, which are dealt together), and
        a column of vectors per view: lists, fixed-size lists or fixed-shape tensors of floats, nested once more for
        sequences. Other columns are ignored.
    views : sequence of str, optional
        Columns to use; all that hold vectors by default.

    Returns
    -------
    Dataset
        Its name is the file's, without suffix; its source the file's name.

    Raises
    ------
    DataError
        Not a Parquet file, no ``id``, an id that occurs twice, fewer than two views, values that are missing
        or not finite, one class only, a split without test rows, ...
    """
    files = parquet.given(path)
    for each in files:
        with each.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise DataError(
                    f"{each}: not a Parquet file; give a table of id and one column of vectors per view, as "
                    "pandas.DataFrame.to_parquet writes it"
                )
    first = next(iter(parquet.iterate(files, batch_size=1)), None)
    if first is None:
        raise DataError(f"{path}: no rows")
    schema = first.schema
    if "id" not in schema.names:
        raise DataError(f"{path}: no column 'id'; its columns: {', '.join(schema.names)}")
    available = [name for name in schema.names if name not in _SPECIAL and is_vectors(schema.field(name).type)]
    wanted = list(dict.fromkeys(views)) if views else available
    for view in wanted:
        if view not in schema.names:
            raise DataError(f"{path}: no view {view!r}; {nearest(view, available)}")
        if view not in available:
            raise DataError(f"{path}: column {view!r} holds {schema.field(view).type}, expected lists of floats")
    if len(wanted) < 2:
        others = "".join(
            f"; {field.name} holds {field.type}, no lists of floats"
            for field in schema
            if field.name not in (*wanted, *_SPECIAL) and not _is_scalar(field.type)
        )
        found = ", ".join(wanted) or "none"
        raise DataError(f"{path}: at least two views (columns of vectors) are needed, got {found}{others}")
    check_views(wanted, str(path))
    special = [name for name in _SPECIAL[1:] if name in schema.names]
    if "split" in special and "fold" in special:
        raise DataError(f"{path}: columns 'split' and 'fold' exclude each other; drop one")

    parquet.check_size(files, ["id", *special, *wanted])
    table = parquet.read(files, columns=["id", *special, *wanted])
    ids = unique_ids(table.column("id"), where=str(path))
    given = {name: to_labels(table.column(name), f"{path}: {name}") for name in special}
    arrays = {view: to_view(table.column(view), where=f"{path}: {view}") for view in wanted}
    labels = given.get("label")
    if labels is not None and len(np.unique(labels)) < 2:
        raise DataError(f"{path}: label: all rows are {labels[0]!s}; give two classes or more, or drop the column")
    return Dataset(
        name=path.stem,
        source=path.name,
        ids=ids,
        views={view: array for view, (array, _) in arrays.items()},
        lengths={view: lengths for view, (_, lengths) in arrays.items() if lengths is not None},
        labels=labels,
        splits=_check_splits(given.get("split"), path),
        folds=_check_folds(given.get("fold"), path),
        groups=given.get("group"),
        metadata={view: {} for view in wanted},
    )


def _is_scalar(kind: pa.DataType) -> bool:
    """Whether nobody would take a column of this type for vectors."""
    return not pa.types.is_nested(kind) and not isinstance(kind, pa.BaseExtensionType)


def _check_splits(splits: np.ndarray | None, path: Path) -> np.ndarray | None:
    if splits is None:
        return None
    names = splits.astype(str)
    for row, name in enumerate(names):
        if name not in _SPLITS:
            raise DataError(f"{path}: split: row {row} is {str(name)!r}; {nearest(str(name), _SPLITS)}")
    if np.count_nonzero(names == "test") < 2:
        raise DataError(f"{path}: split: fewer than two rows are 'test'; nothing to rank")
    return names


def _check_folds(folds: np.ndarray | None, path: Path) -> np.ndarray | None:
    if folds is None:
        return None
    if folds.dtype.kind != "i":
        raise DataError(f"{path}: fold: expected integers, got strings")
    values, sizes = np.unique(folds, return_counts=True)
    if sizes.min() < 2:
        raise DataError(f"{path}: fold {values[sizes.argmin()]} has one row; nothing to rank")
    return folds
