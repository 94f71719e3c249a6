"""Reciprocal ranks: of the own pair, and of the first item of the query's class."""

from __future__ import annotations

import numpy as np

from unisono.errors import DataError
from unisono.metrics._places import best_relevant
from unisono.metrics.chance import first_reciprocal, harmonic_means
from unisono.metrics.precision import relevant_scores
from unisono.metrics.ranks import better_and_tied


def reciprocal_ranks(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    r"""One over the rank of each query's own pair.

    Where b items are better and t tie with it (itself too), the expectation over the orders of these:
    :math:`(H_{b+t} - H_b) / t`, with :math:`H_n = 1 + 1/2 + ... + 1/n`.

    Parameters
    ----------
    queries : np.ndarray [shape=(n, d), dtype=any real]
    gallery : np.ndarray [shape=(n, d), dtype=any real]
        Row i is the pair of query i.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        In (0, 1].

    Raises
    ------
    DataError
        NaN or infinity, or shapes that do not pair.

    Examples
    --------
    >>> reciprocal_ranks([[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [1.0, 0.0]]).tolist()
    [0.5, 0.5]
    """
    return harmonic_means(*better_and_tied(queries, gallery))


def class_reciprocal_ranks(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> np.ndarray:
    """One over the rank of the first item of each query's class.

    Where that item ties with others, the expectation over the orders of these, any of which may be of the class: see
    `unisono.metrics.chance.first_reciprocal`.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_queries, d), dtype=any real]
    gallery : np.ndarray [shape=(n_gallery, d), dtype=any real]
        A query's own pair, if there, is of its class and counts.
    query_labels : np.ndarray [shape=(n_queries,), dtype=int or str]
    gallery_labels : np.ndarray [shape=(n_gallery,), dtype=int or str]

    Returns
    -------
    np.ndarray [shape=(n_queries,), dtype=float64]
        In (0, 1]; NaN for a query without an item of its class.

    Raises
    ------
    DataError
        NaN or infinity, shapes that do not fit, or no query with an item of its class.

    Examples
    --------
    >>> gallery = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> class_reciprocal_ranks([[1.0, 0.1]], gallery, ["cat"], ["dog", "cat", "cat"]).tolist()
    [0.5]
    """
    found = np.full(len(queries), np.nan)
    for query, scores, relevant in relevant_scores(queries, gallery, query_labels, gallery_labels):
        better, tied, own = best_relevant(scores, relevant)
        found[query] = 1 / (better + 1) if own == tied else first_reciprocal(better, tied, own)
    return found


def mean_reciprocal_rank(
    queries: np.ndarray,
    gallery: np.ndarray,
    query_labels: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
) -> float:
    """Mean over queries of `reciprocal_ranks`; with labels, `class_reciprocal_rank`.

    Parameters
    ----------
    queries, gallery
        As in `reciprocal_ranks`.
    query_labels, gallery_labels : np.ndarray [shape=(n,), dtype=int or str], optional
        As in `class_reciprocal_ranks`: the first item of the class counts, not the own pair alone.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    DataError
        As either.

    Examples
    --------
    >>> mean_reciprocal_rank([[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.1, 0.9]])
    1.0
    """
    if query_labels is None and gallery_labels is None:
        return float(np.mean(reciprocal_ranks(queries, gallery)))
    if query_labels is None or gallery_labels is None:
        raise DataError("query_labels and gallery_labels: got one of them, expected both or none")
    return class_reciprocal_rank(queries, gallery, query_labels, gallery_labels)


def class_reciprocal_rank(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> float:
    """Mean of `class_reciprocal_ranks` over the queries that have an item of their class.

    Parameters
    ----------
    queries, gallery, query_labels, gallery_labels
        As in `class_reciprocal_ranks`.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    DataError
        As `class_reciprocal_ranks`.

    Examples
    --------
    >>> class_reciprocal_rank([[1.0], [1.0]], [[1.0], [1.0]], ["a", "b"], ["a", "b"])
    0.75
    """
    found = class_reciprocal_ranks(queries, gallery, query_labels, gallery_labels)
    return float(np.mean(found[~np.isnan(found)]))
