"""What an experiment is divided into: views, parts for training and testing, spaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from unisono import models
from unisono.config import nearest
from unisono.datasets.base import dataset_of
from unisono.datasets.folds import assign_folds, redeal
from unisono.datasets.loading import Dataset
from unisono.errors import ConfigError, DataError


@dataclass(frozen=True)
class Part:
    """One division of a data set.

    Attributes
    ----------
    fold : int
        Or the deal; of folds that are dealt several times, counted on.
    train : np.ndarray [shape=(n_train,), dtype=int64]
        Rows that fit the model; empty when nothing is learned.
    test : np.ndarray [shape=(n_test,), dtype=int64]
        Rows that are ranked: the pool.
    """

    fold: int
    train: np.ndarray
    test: np.ndarray


def feature_sets(dataset: str, overrides: Mapping[str, str]) -> dict[str, str]:
    """Say which feature set each view of an experiment is taken from.

    Parameters
    ----------
    dataset : str
        Its name.
    overrides : mapping of str to str
        ``experiments.<key>.views``.

    Returns
    -------
    dict of str to str
        All views of the data set; one that is not overridden has the feature set of its own name.

    Raises
    ------
    ConfigError
        An override names no view of the data set.
    """
    views = dataset_of(dataset).views
    for view in overrides:
        if view not in views:
            raise ConfigError(f"experiments: {view!r} is no view of {dataset}; {nearest(view, views)}")
    return {view: overrides.get(view, view) for view in views}


def divide(dataset: Dataset, *, seed: int = 0, n_folds: int | None = None, trained: bool = True) -> list[Part]:
    """Divide a data set into training and test rows.

    Parameters
    ----------
    dataset : Dataset
        Its splits, folds or deals decide; without any, class-balanced folds are dealt, of whole groups where there are
        groups.
    seed : int
        Of dealt folds. With splits, a seed above 0 deals the held-out groups anew into validation and test.
    n_folds : int, optional
        Number of folds to deal, 5 by default.
    trained : bool
        Whether the method learns anything. If not, and nothing above applies, all rows are one pool.

    Returns
    -------
    list of Part

    Raises
    ------
    ConfigError
        `n_folds` contradicts the data's own splits, folds or deals, or the number of rows.
    DataError
        No training rows, or fewer than two test rows.
    """
    brought = {"splits": dataset.splits, "folds": dataset.folds, "deals": dataset.deals}
    for own in (name for name, division in brought.items() if division is not None):
        if n_folds is not None:
            raise ConfigError(f"folds: {n_folds} asked for, but {dataset.name} has {own} of its own; leave it out")
    if dataset.splits is not None:
        splits = redeal(dataset.splits, dataset.groups, seed=seed)
        parts = [Part(0, np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test"))]
    elif dataset.deals is not None:
        parts = [
            Part(number, np.flatnonzero(deal == "train"), np.flatnonzero(deal == "test"))
            for number, deal in enumerate(dataset.deals.T)
        ]
    elif dataset.folds is None and n_folds is None and not trained:
        parts = [Part(0, np.empty(0, dtype=np.int64), np.arange(len(dataset)))]
    else:
        folds = dataset.folds
        if folds is None:
            folds = assign_folds(len(dataset), dataset.labels, n_folds=n_folds or 5, seed=seed, groups=dataset.groups)
        dealt = folds[:, None] if folds.ndim == 1 else folds
        parts = [
            Part(int(fold) + deal * len(np.unique(own)), np.flatnonzero(own != fold), np.flatnonzero(own == fold))
            for deal, own in enumerate(dealt.T)
            for fold in np.unique(own)
        ]
    for part in parts:
        if trained and len(part.train) < 2:
            raise DataError(f"{dataset.name}: {len(part.train)} training rows in fold {part.fold}; two are needed")
        if len(part.test) < 2:
            raise DataError(f"{dataset.name}: {len(part.test)} test rows in fold {part.fold}; two are needed")
    return parts


def dealt_anew(dataset: Dataset, deals: int, *, where: str = "deals") -> Dataset:
    """Deal the folds of a data set several times: its own, then as many items in as many folds, classes evenly.

    Only what learns nothing from the folds may stand before them: features that were trained on the training part of
    some are another matter, which `Dataset.by_deal` is for. What a data set keeps apart besides classes (the voices of
    the default clips) it keeps apart in its own folds alone.

    Parameters
    ----------
    dataset : Dataset
        With folds.
    deals : int
        How many, its own included; 1 leaves it as it is.
    where : str
        What stands before messages.

    Returns
    -------
    Dataset
        Whose ``folds`` are (n, deals).

    Raises
    ------
    ConfigError
        It has no folds.
    """
    if deals == 1:
        return dataset
    if dataset.folds is None:
        raise ConfigError(f"{where}: got {deals}, but {dataset.name} has no folds to deal anew; use seeds")
    n_folds = len(np.unique(dataset.folds))
    others = [assign_folds(len(dataset), dataset.labels, n_folds=n_folds, seed=seed) for seed in range(1, deals)]
    return replace(dataset, folds=np.stack([dataset.folds, *others], axis=1))


def spaces(cls: type[models.Aligner], views: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the spaces a method needs for these views, with a name where there is more than one."""
    if cls.n_views == 2 and len(views) > 2:
        for pair in combinations(views, 2):
            yield "-".join(pair), pair
    else:
        yield "", tuple(views)
