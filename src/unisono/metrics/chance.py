"""What a ranking in random order scores: exact expectations, to stand beside every measure."""

from __future__ import annotations

import re

import numpy as np

from unisono.errors import DataError
from unisono.metrics.precision import check_labels


def chance_map(query_labels: np.ndarray, gallery_labels: np.ndarray) -> float:
    r"""Return the expected mean average precision of a random order without ties.

    .. math:: E[AP] = \frac1N \Big(\frac{R-1}{N-1}(N - H_N) + H_N\Big), \quad H_N = \sum_{i=1}^N \frac1i

    for R relevant items of N, averaged over queries.

    Parameters
    ----------
    query_labels : np.ndarray [shape=(n_queries,), dtype=int or str]
    gallery_labels : np.ndarray [shape=(n_gallery,), dtype=int or str]

    Returns
    -------
    float
        A query without a relevant item is left out of the mean.

    Raises
    ------
    DataError
        No query has a relevant item.

    Examples
    --------
    >>> labels = [i % 10 for i in range(80)]
    >>> round(chance_map(labels, labels), 3)
    0.145
    """
    n_items = len(gallery_labels)
    queries, gallery = check_labels(query_labels, gallery_labels, len(query_labels), n_items)
    sizes = np.bincount(gallery, minlength=int(queries.max(initial=0)) + 1)[queries]
    sizes = sizes[sizes > 0]
    if not len(sizes):
        raise DataError("no query has a relevant item: query_labels and gallery_labels share no label")
    if n_items == 1:
        return 1.0
    harmonic = float(np.sum(1 / np.arange(1, n_items + 1)))
    expected = ((sizes - 1) / (n_items - 1) * (n_items - harmonic) + harmonic) / n_items
    return float(np.mean(expected))


def chance_recall(k: int, n_items: int) -> float:
    """Return the expected recall at k of a random order: k/N, at most 1.

    Parameters
    ----------
    k : int
    n_items : int
        N, size of the gallery.

    Returns
    -------
    float

    Examples
    --------
    >>> chance_recall(10, 200)
    0.05
    """
    return min(k / n_items, 1.0)


def chance_rank(n_items: int) -> float:
    """Return the expected rank of a random order, mean and median: (N+1)/2.

    Parameters
    ----------
    n_items : int
        N, size of the gallery.

    Returns
    -------
    float

    Examples
    --------
    >>> chance_rank(131)
    66.0
    """
    return (n_items + 1) / 2


def too_easy(measure: str, chance: float) -> str:
    """Say why a measure means little where a random order scores so much; empty where it means something.

    Parameters
    ----------
    measure : str
        ``map``, ``recall_at_10`` or ``recall@10``; ranks always mean something.
    chance : float
        Its expectation for a random order.

    Returns
    -------
    str

    Examples
    --------
    >>> too_easy("recall_at_10", 1.0)
    'the pool has at most 10 items, so that R@10 is 100 % in any order'
    >>> too_easy("recall_at_10", 0.9)
    ''
    """
    k = re.fullmatch(r"recall[_@](?:at_)?([0-9]+)", measure)
    if k and chance >= 1:
        return f"the pool has at most {k[1]} items, so that R@{k[1]} is 100 % in any order"
    if measure == "map" and chance > 0.5:
        return "few items or classes in the pool: a random order has a MAP above 50 %, and this one says little"
    return ""
