"""Scores corrected for how near queries and items are to everything."""

from __future__ import annotations

import operator

import numpy as np

from unisono.errors import DataError


def csls(scores: np.ndarray, n_neighbours: int = 10) -> np.ndarray:
    r"""Cross-domain similarity local scaling: lower the scores of items that are near to every query.

    .. math:: s'_{ij} = 2 s_{ij} - \frac1k \sum_{j' \in N_k(i)} s_{ij'} - \frac1{k'} \sum_{i' \in N_{k'}(j)} s_{i'j}

    with :math:`N_k(i)` the k best items of query i and :math:`N_{k'}(j)` the k' best queries of item j; k and k' are
    `n_neighbours`, or as many as there are. It needs all queries at once, so that what one finds depends on the others:
    figures with it are no figures of single queries.

    Parameters
    ----------
    scores : np.ndarray [shape=(n_queries, n_gallery), dtype=any real]
        Higher is nearer; cosines in the original.
    n_neighbours : int
        At least 1. In a gallery of one every score becomes s_i1 less the mean of the best; a single query keeps its
        order.

    Returns
    -------
    np.ndarray [shape=(n_queries, n_gallery), dtype=float64]
        Equal rows and equal columns stay equal.

    Raises
    ------
    DataError
        Not a matrix of finite numbers, no row or column, or n_neighbours below 1.

    References
    ----------
    Conneau, Lample, Ranzato, Denoyer, Jegou, "Word translation without parallel data", ICLR 2018, Eq. 5 and 6.

    Examples
    --------
    The first item is near to all queries and no longer beats what is near to the second alone.

    >>> csls([[0.9, 0.2], [0.9, 0.8]], n_neighbours=1).round(2).tolist()
    [[0.0, -1.3], [0.0, -0.1]]
    """
    matrix = np.asarray(scores)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "fiub":
        raise DataError(f"scores: expected numbers of shape (n, m), got {matrix.dtype} of shape {matrix.shape}")
    matrix = matrix.astype(np.float64)
    if not np.isfinite(matrix).all():
        raise DataError("scores: NaN or infinite value; a score must be finite")
    k = operator.index(n_neighbours)
    if k < 1:
        raise DataError(f"n_neighbours: got {k}, expected at least 1")
    return 2 * matrix - _mean_of_best(matrix, k)[:, None] - _mean_of_best(matrix.T, k)


def _mean_of_best(scores: np.ndarray, k: int) -> np.ndarray:
    """Average the k largest of each row, the same for equal rows whatever the order of their numbers."""
    k = min(k, scores.shape[1])
    best = np.partition(scores, -k, axis=1)[:, -k:]
    # Sorted and in C order, so that sums are rounded alike.
    means: np.ndarray = np.ascontiguousarray(np.sort(best, axis=1)).mean(axis=1)
    return means
