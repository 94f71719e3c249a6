"""Dealing clips into folds, classes evenly (D 3.1.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from unisono.config.vegas import Folds
from unisono.datasets.folds import assign_folds
from unisono.errors import DataError


def deal(ids: Sequence[str], labels: Sequence[str], folds: Folds) -> list[int]:
    """Deal clips into folds.

    Parameters
    ----------
    ids, labels : sequence of str
    folds : Folds
        Section ``vegas.folds``.

    Returns
    -------
    list of int
        Fold of each clip, from 0; -1 for the share ``folds.outside`` of each class, drawn by ``folds.seed``. Sizes of
        folds, and of a class within folds, differ by one at most.

    Raises
    ------
    DataError
        An id occurs twice, or a class has fewer clips than there are folds.
    """
    check_ids(ids)
    classes = np.array(labels)
    inside = np.ones(len(ids), dtype=bool)
    draw = np.random.default_rng(folds.seed)
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        inside[draw.permutation(rows)[: round(folds.outside * len(rows))]] = False
    sizes = Counter(classes[inside].tolist())
    for label in sorted(set(labels)):
        size = sizes[label]
        if size < folds.n:
            raise DataError(
                f"vegas: class {label!r} has {size} clips for folds, fewer than the {folds.n} folds; add clips, leave "
                "the class out, or lower vegas.folds.n or vegas.folds.outside"
            )
    dealt = np.full(len(ids), -1)
    dealt[inside] = assign_folds(int(inside.sum()), classes[inside], n_folds=folds.n, seed=folds.seed)
    return dealt.tolist()


def check_ids(ids: Sequence[str]) -> None:
    """Raise `DataError` where an id occurs twice, or where there is none at all."""
    if not ids:
        raise DataError("vegas: no clip is left; see the list of what was left out (results/data/vegas_skipped.csv)")
    identifier, count = Counter(ids).most_common(1)[0]
    if count > 1:
        raise DataError(f"vegas: id {identifier!r} occurs {count} times; ids must be unique, rename the files")
