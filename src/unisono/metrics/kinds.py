r"""What is left of a measure when only the kind of an item is known: whether its pair is found, or something like it.

**Conventions.** Every item has one kind (collection and language, say); row i of queries and gallery is one item. Two
rankings stand beside a true one. In the *shuffled* one, a query's own pair is replaced by an item drawn evenly from
those of its kind, itself included; all draws are counted, none is made. The *oracle* of kinds puts the m items of the
query's kind first, in random order, so that

.. math:: E[R@k] = \min(k, m) / m, \qquad E[1/r] = H_m / m, \qquad E[r] = (m + 1) / 2.

Ties count as elsewhere: by their expectation. The median is that of ranks over queries and draws together: half of
them, each query with the weight of one, lie at or below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unisono.errors import DataError
from unisono.metrics._places import cut_offs, middle
from unisono.metrics.chance import harmonic_means
from unisono.metrics.precision import check_labels, relevant_scores


class Expected(NamedTuple):
    """Expectations per query.

    Attributes
    ----------
    reciprocal : np.ndarray [shape=(n,), dtype=float64]
        Of one over the rank.
    hits : np.ndarray [shape=(n, len(ks)), dtype=float64]
        Probability to be among the first k, by cut-off.
    ranks : np.ndarray [shape=(n,), dtype=float64]
        Of the rank.
    median : float
        Of the rank over queries and draws.
    """

    reciprocal: np.ndarray
    hits: np.ndarray
    ranks: np.ndarray
    median: float


def within(queries: np.ndarray, gallery: np.ndarray, kinds: np.ndarray, *, ks: Sequence[int] = (1, 5, 10)) -> Expected:
    """Measure a ranking whose pairs are shuffled within their kind, exactly.

    Parameters
    ----------
    queries : np.ndarray [shape=(n, d), dtype=any real]
    gallery : np.ndarray [shape=(n, d), dtype=any real]
        Row i is the pair of query i.
    kinds : np.ndarray [shape=(n,), dtype=int or str]
    ks : sequence of int
        Cut-offs, at least 1 each.

    Returns
    -------
    Expected

    Raises
    ------
    DataError
        NaN or infinity, shapes that do not pair, or a cut-off below 1.

    Examples
    --------
    >>> gallery = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> found = within(gallery, gallery, ["a", "a", "b"], ks=[1])
    >>> found.reciprocal.tolist(), found.hits.ravel().tolist(), found.ranks.tolist()
    ([0.75, 0.75, 1.0], [0.5, 0.5, 1.0], [1.5, 1.5, 1.0])
    """
    cuts = cut_offs(ks)
    n = len(queries)
    if len(gallery) != n:
        raise DataError(f"{n} queries and a gallery of {len(gallery)} do not pair: row i belongs to row i")
    reciprocal, hits, means = np.empty(n), np.empty((n, len(cuts))), np.empty(n)
    # Ranks are multiples of a half.
    halves = np.zeros(2 * n + 1)
    for query, scores, relevant in relevant_scores(queries, gallery, kinds, kinds):
        above = np.searchsorted(scores, relevant, side="right")
        better, tied = n - above, above - np.searchsorted(scores, relevant, side="left")
        reciprocal[query] = harmonic_means(better, tied).mean()
        hits[query] = np.clip((cuts - better[:, None]) / tied[:, None], 0, 1).mean(axis=0)
        twice = 2 * better + tied + 1
        means[query] = twice.mean() / 2
        np.add.at(halves, twice, 1 / len(relevant))
    return Expected(reciprocal, hits, means, middle(halves) / 2)


def kind_oracle(kinds: np.ndarray, *, ks: Sequence[int] = (1, 5, 10)) -> Expected:
    """Measure the ranking that knows the query's kind and nothing else, in closed form.

    Parameters
    ----------
    kinds : np.ndarray [shape=(n,), dtype=int or str]
        Of the items, each once a query.
    ks : sequence of int
        Cut-offs, at least 1 each.

    Returns
    -------
    Expected

    Raises
    ------
    DataError
        A kind is missing, or a cut-off below 1.

    Examples
    --------
    >>> found = kind_oracle(["a", "a", "b"], ks=[1])
    >>> found.reciprocal.tolist(), found.hits.ravel().tolist(), found.ranks.tolist(), found.median
    ([0.75, 0.75, 1.0], [0.5, 0.5, 1.0], [1.5, 1.5, 1.0], 1.0)
    """
    cuts = cut_offs(ks)
    codes, _ = check_labels(kinds, kinds, len(kinds), len(kinds))
    sizes = np.bincount(codes)
    m = sizes[codes]
    halves = np.zeros(2 * len(codes) + 1)
    for size in sizes:
        # The queries of a kind, as many as its items, are spread evenly over its places.
        halves[2 : 2 * size + 1 : 2] += 1
    return Expected(
        harmonic_means(np.zeros_like(m), m), np.minimum(cuts, m[:, None]) / m[:, None], (m + 1) / 2, middle(halves) / 2
    )
