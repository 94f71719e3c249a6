"""Measures by pair: row i of the queries belongs to row i of the gallery, which is searched as a whole."""

from __future__ import annotations

import operator

import numpy as np

from unisono.errors import DataError
from unisono.metrics._similarity import check_pair, score_blocks


def ranks(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Rank of each query's own pair: 1 + number better + half the other ties.

    Parameters
    ----------
    queries : np.ndarray [shape=(n, d), dtype=any real]
    gallery : np.ndarray [shape=(n, d), dtype=any real]
        Row i is the pair of query i.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        1 is best. The expectation over all orders of tied items: (n+1)/2 for a constant embedding.

    Raises
    ------
    DataError
        NaN or infinity, or shapes that do not pair.

    Examples
    --------
    >>> ranks([[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [1.0, 0.0]]).tolist()
    [2.0, 2.0]
    """
    better, tied = better_and_tied(queries, gallery)
    return 1 + better + (tied - 1) / 2


def rank_among(scores: np.ndarray, own: int) -> float:
    """Rank of one item among all: 1 + number better + half the other ties.

    Parameters
    ----------
    scores : np.ndarray [shape=(n,), dtype=float64]
        Of all items for a query, as `similarities` gives them.
    own : int
        Row of the item.

    Returns
    -------
    float

    Examples
    --------
    >>> rank_among(np.array([0.5, 0.9, 0.5]), 0)
    2.5
    """
    better, tied = np.count_nonzero(scores > scores[own]), np.count_nonzero(scores == scores[own])
    return float(1 + better + (tied - 1) / 2)


def recall_curve(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Recall at 1, 2, ..., n: see `recall_at_k`.

    Parameters
    ----------
    queries, gallery
        As in `ranks`.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        Entry k-1 is the recall at k.

    Raises
    ------
    DataError
        As `ranks`.

    Examples
    --------
    >>> recall_curve([[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [1.0, 0.0]]).tolist()
    [0.0, 1.0]
    """
    better, tied = better_and_tied(queries, gallery)
    steps = np.zeros(len(better) + 1)
    np.add.at(steps, better, 1 / tied)
    np.subtract.at(steps, better + tied, 1 / tied)
    recall: np.ndarray = np.cumsum(np.cumsum(steps[:-1])) / len(better)
    return np.minimum(recall, 1.0)


def recall_at_k(queries: np.ndarray, gallery: np.ndarray, k: int) -> float:
    """Part of the queries whose own pair is among the first k.

    Where the own pair ties with others across place k, it counts by the part of the tied places that lie
    within the first k (the expectation over all orders): a constant embedding scores k/n, which is chance.

    Parameters
    ----------
    queries, gallery
        As in `ranks`.
    k : int
        At least 1. Beyond the gallery's size the recall is 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        As `ranks`, or k below 1.

    Examples
    --------
    >>> recall_at_k([[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.1, 0.9]], 1)
    1.0
    """
    k = operator.index(k)
    if k < 1:
        raise DataError(f"k: got {k}, expected at least 1")
    better, tied = better_and_tied(queries, gallery)
    return float(np.mean(np.clip((k - better) / tied, 0, 1)))


def median_rank(queries: np.ndarray, gallery: np.ndarray) -> float:
    """Median over queries of `ranks`.

    Parameters
    ----------
    queries, gallery
        As in `ranks`.

    Returns
    -------
    float
        1 is best; (n+1)/2 is chance.

    Raises
    ------
    DataError
        As `ranks`.

    Examples
    --------
    >>> median_rank([[1.0], [1.0], [1.0]], [[1.0], [1.0], [1.0]])
    2.0
    """
    return float(np.median(ranks(queries, gallery)))


def mean_rank(queries: np.ndarray, gallery: np.ndarray) -> float:
    """Mean over queries of `ranks`.

    Parameters
    ----------
    queries, gallery
        As in `ranks`.

    Returns
    -------
    float
        1 is best; (n+1)/2 is chance.

    Raises
    ------
    DataError
        As `ranks`.

    Examples
    --------
    >>> mean_rank([[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.1, 0.9]])
    1.0
    """
    return float(np.mean(ranks(queries, gallery)))


def better_and_tied(queries: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count, per query, the items that score above its own pair, and those that equal it.

    Parameters
    ----------
    queries, gallery
        As in `ranks`.

    Returns
    -------
    better : np.ndarray [shape=(n,), dtype=int64]
    tied : np.ndarray [shape=(n,), dtype=int64]
        With the own pair itself, so that it is at least 1.

    Raises
    ------
    DataError
        As `ranks`.
    """
    q, g = check_pair(queries, gallery)
    if len(q) != len(g):
        raise DataError(f"{len(q)} queries and a gallery of {len(g)} do not pair: row i belongs to row i")
    own = q.dot_rows(g)
    better, tied = np.empty(len(q), dtype=np.int64), np.empty(len(q), dtype=np.int64)
    for start, scores in score_blocks(q, g):
        block = slice(start, start + len(scores))
        better[block] = np.count_nonzero(scores > own[block, None], axis=1)
        tied[block] = np.count_nonzero(scores == own[block, None], axis=1)
    return better, tied
