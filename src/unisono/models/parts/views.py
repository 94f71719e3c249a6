"""Views as a method gets them: checked, averaged over time, standardised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unisono.errors import ConfigError, DataError


def check_views(
    views: Mapping[str, np.ndarray], lengths: Mapping[str, np.ndarray] | None = None, *, paired: bool = True
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Check that views are finite arrays, with paired rows unless told otherwise.

    Parameters
    ----------
    views : mapping of str to np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
    lengths : mapping of str to np.ndarray [shape=(n,), dtype=int], optional
        Real frames of the rows of (n, T, d) views.
    paired : bool
        Whether row i of all views is the same item; otherwise each view has rows of its own.

    Returns
    -------
    views : dict of str to np.ndarray
        The same arrays, sorted by name, so that no result depends on the order in which views are given.
    lengths : dict of str to np.ndarray [shape=(n,), dtype=int64]
        Of the views that have them.

    Raises
    ------
    DataError
        Not numbers, another number of axes, no columns, unpaired rows, NaN or infinity, impossible lengths.
    """
    arrays = {view: np.asarray(views[view]) for view in sorted(views)}
    rows = {view: len(array) for view, array in arrays.items() if array.ndim}
    for view, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise DataError(f"view {view!r}: expected numbers, got {array.dtype}")
        if array.ndim not in (2, 3) or 0 in array.shape[1:]:
            raise DataError(f"view {view!r}: expected shape (n, d) or (n, T, d), got {array.shape}")
    if paired and len(set(rows.values())) > 1:
        counts = ", ".join(f"{view!r} {count}" for view, count in rows.items())
        raise DataError(f"rows of the views do not pair: {counts}; every item needs one row in each view")
    for view, array in arrays.items():
        finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        if not finite.all():
            raise DataError(f"view {view!r}, row {int(np.argmin(finite))}: NaN or infinite value; remove or repair it")
    frames = {}
    for view, counts_ in (lengths or {}).items():
        if view not in arrays or arrays[view].ndim != 3:
            continue
        values = np.asarray(counts_)
        n_items, longest = arrays[view].shape[:2]
        if values.shape != (n_items,) or values.dtype.kind not in "iu":
            raise DataError(f"lengths of view {view!r}: expected {n_items} integers, got {values.dtype} {values.shape}")
        wrong = (values < 1) | (values > longest)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"lengths of view {view!r}, row {row}: {values[row]} frames, expected 1 to {longest}")
        frames[view] = values.astype(np.int64)
    return arrays, frames


def average(array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Average a view over its real frames.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
    lengths : np.ndarray [shape=(n,), dtype=int64], optional
        Real frames; frames after them are padding. All T by default.

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float64 if averaged]
    """
    if array.ndim == 2:
        return array
    if lengths is None:
        mean: np.ndarray = array.mean(axis=1, dtype=np.float64)
        return mean
    real = np.arange(array.shape[1]) < lengths[:, None]
    total = np.einsum("ntd,nt->nd", array.astype(np.float64, copy=False), real.astype(np.float64))
    return total / lengths[:, None]


def check_components(name: str, n_components: int, views: Mapping[str, np.ndarray]) -> None:
    """Raise `ConfigError` when more components are asked for than the views can have."""
    n_items = len(next(iter(views.values())))
    limit = min([n_items - 1, *(array.shape[1] for array in views.values())])
    if n_components > limit:
        widths = ", ".join(f"{view} {array.shape[1]}" for view, array in views.items())
        raise ConfigError(
            f"models.{name}.n_components: {n_components} is more than these data have: at most {limit} "
            f"(widths: {widths}; {n_items} training rows, less one); lower n_components"
        )


def named(views: Mapping[str, Any]) -> str:
    """Count views and name them, for messages."""
    return f"{len(views)} view{'s' * (len(views) != 1)}" + (f" ({', '.join(views)})" if views else "")


def scaled(scales: Mapping[str, np.ndarray], view: str, array: np.ndarray) -> np.ndarray:
    """Standardise the columns of a view, if they are to be."""
    if f"columns/{view}/mean" not in scales:
        return array
    # Sequences in single precision: they are large, and only networks take them.
    made: np.ndarray = np.subtract(array, scales[f"columns/{view}/mean"], dtype=np.float64)
    made /= scales[f"columns/{view}/deviation"]
    return made.astype(np.float32) if made.ndim == 3 else made
