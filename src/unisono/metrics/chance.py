"""What a ranking in random order scores: exact expectations, to stand beside every measure."""

from __future__ import annotations

import re

import numpy as np

from unisono.errors import DataError
from unisono.metrics._places import first_places
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
    return float(np.mean(chance_precisions(sizes, n_items)))


def chance_precisions(n_relevant: np.ndarray, n_items: int) -> np.ndarray:
    """Return the expected average precision of a random order by number of relevant items: see `chance_map`.

    Parameters
    ----------
    n_relevant : np.ndarray [shape=(n,), dtype=int]
        R, at least 1.
    n_items : int
        N.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
    """
    if n_items == 1:
        return np.ones(len(n_relevant))
    harmonic = float(np.sum(1 / np.arange(1, n_items + 1)))
    expected: np.ndarray = ((n_relevant - 1) / (n_items - 1) * (n_items - harmonic) + harmonic) / n_items
    return expected


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


def chance_reciprocal_rank(n_items: int) -> float:
    r"""Return the expected reciprocal rank of the own pair in a random order: :math:`H_N / N`.

    Parameters
    ----------
    n_items : int
        N, size of the gallery.

    Returns
    -------
    float

    Examples
    --------
    >>> round(chance_reciprocal_rank(2000), 4)
    0.0041
    """
    return float(harmonic_means(np.array([0]), np.array([n_items]))[0])


def chance_class_reciprocal_rank(query_labels: np.ndarray, gallery_labels: np.ndarray) -> float:
    r"""Return the expected reciprocal rank of the first item of the query's class in a random order.

    .. math:: E[1/r] = \sum_{r=1}^{N-R+1} \frac1r \binom{N-r}{R-1} \Big/ \binom NR

    for R items of the class among N, averaged over queries.

    Parameters
    ----------
    query_labels : np.ndarray [shape=(n_queries,), dtype=int or str]
    gallery_labels : np.ndarray [shape=(n_gallery,), dtype=int or str]

    Returns
    -------
    float
        A query without an item of its class is left out of the mean.

    Raises
    ------
    DataError
        No query has an item of its class.

    Examples
    --------
    >>> labels = [i % 20 for i in range(2000)]
    >>> round(chance_class_reciprocal_rank(labels, labels), 3)
    0.158
    """
    n_items = len(gallery_labels)
    queries, gallery = check_labels(query_labels, gallery_labels, len(query_labels), n_items)
    sizes, counts = np.unique(
        np.bincount(gallery, minlength=int(queries.max(initial=0)) + 1)[queries], return_counts=True
    )
    sizes, counts = sizes[sizes > 0], counts[sizes > 0]
    if not len(sizes):
        raise DataError("no query has a relevant item: query_labels and gallery_labels share no label")
    expected = [first_reciprocal(0, n_items, int(size)) for size in sizes]
    return float(np.average(expected, weights=counts))


def harmonic_means(better: np.ndarray, tied: np.ndarray) -> np.ndarray:
    r"""Return the expected reciprocal rank of items that tie: :math:`(H_{b+t} - H_b) / t`.

    Parameters
    ----------
    better : np.ndarray [shape=(n,), dtype=int]
        b, items above it.
    tied : np.ndarray [shape=(n,), dtype=int]
        t, items that equal it, itself too.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        Over all orders of the tied items.
    """
    last = int((better + tied).max(initial=0))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, last + 1))])
    means: np.ndarray = np.where(tied == 1, 1 / (better + 1), (harmonic[better + tied] - harmonic[better]) / tied)
    return means


def first_reciprocal(better: int, tied: int, relevant: int) -> float:
    r"""Return the expected reciprocal rank of the first of some relevant items among tied ones.

    .. math:: \sum_{j=1}^{t-m+1} \frac{1}{b+j} \binom{t-j}{m-1} \Big/ \binom tm

    Parameters
    ----------
    better : int
        b, items above all of them.
    tied : int
        t, items that tie.
    relevant : int
        m of them are relevant, at least 1.

    Returns
    -------
    float
    """
    places = np.arange(1, tied - relevant + 2)
    return float(np.sum(first_places(tied, relevant) / (better + places)))


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
