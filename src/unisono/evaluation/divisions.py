"""What an experiment is divided into: views, parts for training and testing, spaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
        Or the deal.
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
        parts = [
            Part(int(fold), np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)
        ]
    for part in parts:
        if trained and len(part.train) < 2:
            raise DataError(f"{dataset.name}: {len(part.train)} training rows in fold {part.fold}; two are needed")
        if len(part.test) < 2:
            raise DataError(f"{dataset.name}: {len(part.test)} test rows in fold {part.fold}; two are needed")
    return parts


def spaces(cls: type[models.Aligner], views: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the spaces a method needs for these views, with a name where there is more than one."""
    if cls.n_views == 2 and len(views) > 2:
        for pair in combinations(views, 2):
            yield "-".join(pair), pair
    else:
        yield "", tuple(views)
