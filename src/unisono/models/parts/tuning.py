"""Settings of closed forms, chosen by cross-validation on the training rows alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import TypeVar

import numpy as np
from scipy import linalg

from unisono import metrics
from unisono.errors import ConfigError

#: Parts of the training rows, each held out once.
N_FOLDS = 3
#: Most rows that are looked at, drawn by a fixed seed.
MOST_ROWS = 1000
#: Rows below which nothing can be chosen.
FEWEST_ROWS = 4 * N_FOLDS

#: Ridges of linear methods that are tried, the largest first; and the one where there are too few rows to choose.
RIDGES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
FALLBACK = 1.0

Setting = TypeVar("Setting")
#: Embeds rows of a view, by its name.
Embed = Callable[[str, np.ndarray], np.ndarray]
#: Fits every candidate to some rows: yields its setting and what embeds with it.
Candidates = Callable[[dict[str, np.ndarray], np.ndarray | None], Iterator[tuple[Setting, Embed]]]


def choose(
    views: Mapping[str, np.ndarray], labels: np.ndarray | None, candidates: Candidates[Setting], fallback: Setting
) -> Setting:
    """Choose the setting that ranks held-out rows best.

    The measure is the mean average precision by class, over all directions; without labels it is the mean logarithm of
    the own pair's rank, since a mean of ranks would follow the worst and R@1 the chance of a few.

    Parameters
    ----------
    views : mapping of str to np.ndarray [shape=(n, d), dtype=any real]
        With paired rows.
    labels : np.ndarray [shape=(n,), dtype=int or str] or None
    candidates : callable
        It gets views, turned so that a view wider than its rows is as wide as they are many (distances and inner
        products stay), and labels. Of equally good settings the first that it yields is taken.
    fallback : object
        What is taken where nothing can be chosen: too few rows, a class less than twice in a part.

    Returns
    -------
    object
        One of the settings, or `fallback`.
    """
    generator = np.random.default_rng(0)
    rows = generator.permutation(len(next(iter(views.values()))))[:MOST_ROWS]
    if len(rows) < FEWEST_ROWS:
        return fallback
    turned = {view: _narrow(array[rows]) for view, array in views.items()}
    classes = None if labels is None else np.asarray(labels)[rows]
    folds = np.arange(len(rows)) % N_FOLDS
    if classes is not None:
        # Class by class, so that every part has its share of each.
        folds[np.argsort(classes, kind="stable")] = folds.copy()
    scores: dict[Setting, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fold in range(N_FOLDS):
            train, test = folds != fold, folds == fold
            own = None if classes is None else classes[train]
            if own is not None and len(np.unique(own)) < 2:
                return fallback
            held_out = None if classes is None else classes[test]
            try:
                for setting, embed in candidates({view: array[train] for view, array in turned.items()}, own):
                    embedded = [embed(view, array[test]) for view, array in turned.items()]
                    scores[setting] = scores.get(setting, 0.0) + merit(embedded, held_out)
            except ConfigError:
                # A view that is constant in a part: what there is to say, the fit to all rows says.
                return fallback
    return max(scores, key=lambda setting: scores[setting])


def _narrow(array: np.ndarray) -> np.ndarray:
    """Turn rows into the space that they span, where that is narrower."""
    if array.shape[1] <= len(array):
        return array
    centred = np.subtract(array, array.mean(axis=0, dtype=np.float64), dtype=np.float64)
    # Rows = L Q with orthonormal Q: L has their inner products.
    factor: np.ndarray = linalg.qr(centred.T, mode="r", check_finite=False)[0][: len(array)].T
    return factor


def merit(embedded: Sequence[np.ndarray], classes: np.ndarray | None) -> float:
    """Say how well held-out rows are ranked.

    Parameters
    ----------
    embedded : sequence of np.ndarray [shape=(n, k), dtype=any real]
        The views of the same items.
    classes : np.ndarray [shape=(n,), dtype=int or str] or None

    Returns
    -------
    float
        Higher is better: the mean over all directions of the mean average precision by class; without classes that of
        minus the mean natural logarithm of the own pair's rank.
    """
    pairs = list(permutations(embedded, 2))
    if classes is None:
        return -float(np.mean([np.log(metrics.ranks(*pair)) for pair in pairs]))
    return float(np.mean([metrics.mean_average_precision(*pair, classes, classes) for pair in pairs]))
