"""Which items are for training and which for testing."""

from __future__ import annotations

import numpy as np

from unisono.errors import ConfigError


def assign_folds(n_items: int, labels: np.ndarray | None = None, *, n_folds: int = 5, seed: int = 0) -> np.ndarray:
    """Deal items into folds at random, classes evenly.

    Parameters
    ----------
    n_items : int
    labels : np.ndarray [shape=(n_items,), dtype=int or str], optional
    n_folds : int
        From 2 to half the number of items.
    seed : int

    Returns
    -------
    np.ndarray [shape=(n_items,), dtype=int64]
        Fold of each item, from 0. Sizes of folds, and of a class within folds, differ by one at most.

    Raises
    ------
    ConfigError
        More folds than the items allow.

    Examples
    --------
    >>> np.bincount(assign_folds(11, n_folds=2)).tolist()
    [6, 5]
    """
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
