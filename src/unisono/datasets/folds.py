"""Which items are for training and which for testing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.errors import ConfigError, DataError

#: Parts of a split, in the order of its fractions.
PARTS = ("train", "validation", "test")


def assign_folds(
    n_items: int,
    labels: np.ndarray | None = None,
    *,
    n_folds: int = 5,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Deal items into folds at random, classes evenly.

    Parameters
    ----------
    n_items : int
    labels : np.ndarray [shape=(n_items,), dtype=int or str], optional
    n_folds : int
        From 2 to half the number of items, or to the number of groups.
    seed : int
    groups : np.ndarray [shape=(n_items,), dtype=int or str], optional
        Items of one group lie in one fold.

    Returns
    -------
    np.ndarray [shape=(n_items,), dtype=int64]
        Fold of each item, from 0. Sizes of folds, and of a class within folds, differ by one at most; with groups by
        as little as dealing the largest first gives.

    Raises
    ------
    ConfigError
        More folds than the items allow.

    Examples
    --------
    >>> np.bincount(assign_folds(11, n_folds=2)).tolist()
    [6, 5]
    """
    if groups is not None:
        return _in_groups(groups, labels, n_folds=n_folds, seed=seed)
    if not 2 <= n_folds <= n_items // 2:
        raise ConfigError(f"folds: got {n_folds}, expected 2 to {n_items // 2} (two items or more in each)")
    order = np.random.default_rng(seed).permutation(n_items)
    if labels is not None:
        codes = np.unique(labels, return_inverse=True)[1]
        # Dealt class after class without starting again, so that sizes stay even over classes too.
        order = order[np.argsort(codes[order], kind="stable")]
    folds = np.empty(n_items, dtype=np.int64)
    folds[order] = np.arange(n_items) % n_folds
    return folds


def _in_groups(groups: np.ndarray, labels: np.ndarray | None, *, n_folds: int, seed: int) -> np.ndarray:
    """Deal whole groups, the largest first, each to the fold that has least of its classes, and least of all."""
    _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if not 2 <= n_folds <= len(sizes):
        raise ConfigError(
            f"folds: got {n_folds}, expected 2 to {len(sizes)}, the number of groups, which stay together"
        )
    codes = np.zeros(len(groups), dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    rows_of = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])
    order = np.random.default_rng(seed).permutation(len(sizes))
    dealt = np.zeros((n_folds, int(codes.max()) + 1), dtype=np.int64)
    folds = np.empty(len(groups), dtype=np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        own = codes[rows_of[group]]
        fold = int(np.lexsort((dealt.sum(axis=1), dealt[:, own].sum(axis=1)))[0])
        np.add.at(dealt[fold], own, 1)
        folds[rows_of[group]] = fold
    return folds


def deal(
    name: str, table: pa.Table, *, n_folds: int, seed: int, outside: float = 0.0
) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal the items of a data set into folds, and keep some outside (D 3.1.2, 4.3.1).

    Parameters
    ----------
    name : str
        Of the data set, for messages.
    table : pa.Table
        One row per item; ``label`` where items have classes, and ``group`` where items of a group share something
        that training must not have seen (-1 = outside every fold).
    n_folds, seed : int
    outside : float
        Share of each class outside every fold, drawn by `seed`; not for items in groups.

    Returns
    -------
    folds : np.ndarray [shape=(n,), dtype=int64]
        From 0; -1 outside. Whole groups where there are as many as folds; otherwise sizes of folds, and of a class
        within folds, differ by one at most.
    facts : dict
        ``divided_groups``, where there are more folds than groups: items of a group then lie in several folds.

    Raises
    ------
    DataError
        A class has fewer items inside than there are folds.
    """
    labels = np.array(table["label"].to_pylist() if "label" in table.column_names else ["all"] * len(table), dtype=str)
    groups = np.array(table["group"].to_pylist()) if "group" in table.column_names else None
    inside = np.ones(len(labels), dtype=bool) if groups is None else groups >= 0
    if groups is None:
        draw = np.random.default_rng(seed)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            inside[draw.permutation(rows)[: round(outside * len(rows))]] = False
    sizes = Counter(labels[inside].tolist())
    for label in np.unique(labels).tolist():
        if sizes[label] < n_folds:
            raise DataError(
                f"{name}: class {label!r} has {sizes[label]} items for folds, fewer than the {n_folds} folds; add "
                f"items, leave the class out, or lower {name}.folds.n or the share of items outside the folds"
            )
    folds = np.full(len(labels), -1)
    n_groups = 0 if groups is None else len(np.unique(groups[inside]))
    if groups is not None and n_groups >= n_folds:
        folds[inside] = np.unique(groups[inside], return_inverse=True)[1] % n_folds
    else:
        folds[inside] = assign_folds(int(inside.sum()), labels[inside], n_folds=n_folds, seed=seed)
    return folds, {"divided_groups": n_groups} if 0 < n_groups < n_folds else {}


def redeal(splits: np.ndarray, groups: np.ndarray | None, *, seed: int) -> np.ndarray:
    """Deal the held-out items anew into validation and test; training items stay where they are.

    Features may have been learned from the training items, so these are never tested. Groups stay together.

    Parameters
    ----------
    splits : np.ndarray [shape=(n,), dtype=str]
        ``train``, ``validation`` or ``test``.
    groups : np.ndarray [shape=(n,), dtype=int or str], optional
        Songs; every item is its own group by default.
    seed : int
        0 leaves the splits as they are.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=str]
        With as many test items as before, or fewer by less than the smallest group that was left over.
    """
    held_out = np.flatnonzero(splits != "train")
    if seed == 0 or not len(held_out):
        return splits
    members = np.arange(len(splits)) if groups is None else groups
    names, codes, sizes = np.unique(members[held_out], return_inverse=True, return_counts=True)
    room = int(np.count_nonzero(splits == "test"))
    tested = np.zeros(len(names), dtype=bool)
    for group in np.random.default_rng(seed).permutation(len(names)):
        if sizes[group] <= room:
            tested[group] = True
            room -= int(sizes[group])
    dealt = splits.astype("<U10")
    dealt[held_out] = np.where(tested[codes], "test", "validation")
    return dealt
