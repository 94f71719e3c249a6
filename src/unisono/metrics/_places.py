"""Places of the relevant items of one query among all, from scores alone: what all measures of a ranking share.

**Conventions.** `scores` are those of all items for a query, `relevant` those of the relevant ones among them, both
ascending: places are looked up in sorted scores, and no position is ever sorted. b items are better than something, t
tie with it (itself too), m of these are relevant.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from unisono.errors import DataError

#: Places that are equal but for rounding of the weights that lead to them.
_TOLERANCE = 1e-9


def step_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Average precision that takes a tied group as one step.

    Parameters
    ----------
    scores : np.ndarray [shape=(n,), dtype=float64]
    relevant : np.ndarray [shape=(R,), dtype=float64]
        At least one.

    Returns
    -------
    float
    """
    at_least = len(scores) - np.searchsorted(scores, relevant, side="left")
    relevant_at_least = len(relevant) - np.searchsorted(relevant, relevant, side="left")
    return float(np.mean(relevant_at_least / at_least))


def best_relevant(scores: np.ndarray, relevant: np.ndarray) -> tuple[int, int, int]:
    """Count what is better than the best relevant item, what ties with it, and what of these is relevant: b, t, m.

    Parameters
    ----------
    scores : np.ndarray [shape=(n,), dtype=float64]
    relevant : np.ndarray [shape=(R,), dtype=float64]
        At least one.

    Returns
    -------
    better, tied, own : int
    """
    best = relevant[-1]
    better = len(scores) - int(np.searchsorted(scores, best, side="right"))
    tied = len(scores) - better - int(np.searchsorted(scores, best, side="left"))
    own = len(relevant) - int(np.searchsorted(relevant, best, side="left"))
    return better, tied, own


def first_places(tied: int, own: int) -> np.ndarray:
    r"""Probability of each place of the first of some relevant items among tied ones, over all orders of these.

    .. math:: P(j) = \binom{t-j}{m-1} \Big/ \binom tm

    Each is the one before it times :math:`(t-j-m+1)/(t-j)`: a product of parts of one, which neither overflows nor
    cancels.

    Parameters
    ----------
    tied : int
        t.
    own : int
        m, at least 1.

    Returns
    -------
    np.ndarray [shape=(t - m + 1,), dtype=float64]
        Of places 1, 2, ... among the tied.
    """
    places = np.arange(1, tied - own + 2)
    following = (tied - places[:-1] - own + 1) / (tied - places[:-1])
    probabilities: np.ndarray = np.concatenate([[own / tied], following]).cumprod()
    return probabilities


def middle(weights: np.ndarray) -> float:
    """Median of positions by their weights: between two where half the weight ends at the first.

    Parameters
    ----------
    weights : np.ndarray [shape=(n,), dtype=float64]

    Returns
    -------
    float
    """
    reached = np.cumsum(weights) / weights.sum()
    low = int(np.argmax(reached >= 0.5 - _TOLERANCE))
    high = int(np.argmax(reached > 0.5 + _TOLERANCE))
    return (low + high) / 2


def cut_offs(ks: Sequence[int]) -> np.ndarray:
    """Check cut-offs.

    Raises
    ------
    DataError
        One is below 1.
    """
    cuts = np.array([operator.index(k) for k in ks], dtype=np.int64)
    if (cuts < 1).any():
        raise DataError(f"k: got {cuts.min()}, expected at least 1")
    return cuts
