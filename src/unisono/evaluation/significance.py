r"""How far a mean score may be off: other queries, and another gallery.

**Conventions.** A query's score depends on itself and on every item of the gallery that it is ranked in, and an item of
the gallery has a part in all queries' scores. So scores of one gallery are not independent, and an interval over
queries alone is too narrow. Here a score is taken apart into what it would lose without each item of the gallery (a
jackknife),

.. math:: s_i - \bar s = \sum_j u_{ij}, \qquad
          \operatorname{Var} \bar s = \sum_i \Big(\sum_{\text{pairs with } i} w\Big)^2 - \sum_{i < j} w_{ij}^2, \quad
          w_{ij} = u_{ij} + u_{ji},

over items i, each as a query and in the gallery, in both directions: pairs that share an item vary together, and a pair
that was counted for both of its items is taken off once. Items of different folds never meet. Items are put together
into at most `N_GROUPS` groups a fold, so that memory does not grow with their number.

References
----------
Aronow, Samii, Assenova, "Cluster-robust variance estimation for dyadic data", Political Analysis 23, 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from unisono.metrics._similarity import check_pair, score_blocks
from unisono.metrics.precision import check_labels

#: Groups of items of a fold, at most.
N_GROUPS = 100
#: Part of the differences that an interval holds.
LEVEL = 0.95
#: Least part of the variance over queries alone that is taken for the variance, which is estimated by a difference.
LEAST = 0.5


@dataclass(frozen=True)
class Scores:
    """One method in one direction, or the mean of several.

    Attributes
    ----------
    values : np.ndarray [shape=(n,), dtype=float64]
        Score of every query.
    influences : np.ndarray [shape=(F, G, G), dtype=float64]
        Of every fold: what the queries of group g owe to the gallery's items of group h, summed up.
    """

    values: np.ndarray
    influences: np.ndarray


@dataclass(frozen=True)
class Groups:
    """Which fold, and which group of it, every item belongs to.

    Attributes
    ----------
    fold : np.ndarray [shape=(n,), dtype=int64]
        From 0.
    group : np.ndarray [shape=(n,), dtype=int64]
        From 0 in every fold.
    sizes : np.ndarray [shape=(F, G), dtype=int64]
        Items of every group.
    """

    fold: np.ndarray
    group: np.ndarray
    sizes: np.ndarray


def groups(folds: np.ndarray) -> Groups:
    """Put the items of every fold into groups, in turn.

    Parameters
    ----------
    folds : np.ndarray [shape=(n,), dtype=int64]

    Returns
    -------
    Groups
    """
    _, fold, counts = np.unique(folds, return_inverse=True, return_counts=True)
    n_groups = min(N_GROUPS, int(counts.max()))
    group = np.empty(len(fold), dtype=np.int64)
    for number, count in enumerate(counts):
        group[fold == number] = np.arange(count) % n_groups
    sizes = np.zeros((len(counts), n_groups), dtype=np.int64)
    np.add.at(sizes, (fold, group), 1)
    return Groups(fold, group, sizes)


def score(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray, of: Groups) -> Scores:
    """Score every query within its fold, and say what the score owes to which items.

    Parameters
    ----------
    queries, gallery : np.ndarray [shape=(n, k), dtype=any real]
        Row i of both is the same item.
    labels : np.ndarray [shape=(n,), dtype=int or str]
    of : Groups

    Returns
    -------
    Scores
    """
    values = np.empty(len(labels))
    influences = np.zeros((len(of.sizes), of.sizes.shape[1], of.sizes.shape[1]))
    for fold, matrix in enumerate(influences):
        rows = np.flatnonzero(of.fold == fold)
        own = of.group[rows]
        found = gallery_influences(queries[rows], gallery[rows], labels[rows], labels[rows])
        for place, (precision, influence) in enumerate(found):
            values[rows[place]] = precision
            matrix[own[place]] += np.bincount(own, weights=influence, minlength=len(matrix))
    return Scores(values, influences)


def gallery_influences(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> Iterator[tuple[float, np.ndarray]]:
    r"""Yield each query's average precision, and what it owes to each item of the gallery.

    .. math:: u_j = \frac{m_j - 1}{m_j} \big(AP - AP^{(-j)} - \text{mean of these}\big)

    with :math:`AP^{(-j)}` the average precision without item j, and :math:`m_j` and the mean over the items that are
    relevant if j is, or those that are not: a jackknife for each.

    Parameters
    ----------
    queries, gallery, query_labels, gallery_labels
        As in `unisono.metrics.average_precisions`.

    Yields
    ------
    precision : float
        NaN for a query without a relevant item.
    influence : np.ndarray [shape=(n_gallery,), dtype=float64]
        Zero for a single relevant item, without which there is no average precision.

    Raises
    ------
    DataError
        As `unisono.metrics.average_precisions`.
    """
    q, g = check_pair(queries, gallery)
    query_codes, gallery_codes = check_labels(query_labels, gallery_labels, len(q), len(g))
    for first, block in score_blocks(q, g):
        for scores, code in zip(block, query_codes[first : first + len(block)], strict=True):
            own = gallery_codes == code
            yield _influences(scores, own) if own.any() else (np.nan, np.zeros(len(own)))


def _influences(scores: np.ndarray, own: np.ndarray) -> tuple[float, np.ndarray]:
    """Compute `gallery_influences` of a query from its scores and which of them are relevant."""
    n, relevant = len(scores), np.sort(scores[own])
    at_least = n - np.searchsorted(np.sort(scores), relevant, side="left")
    relevant_at_least = len(relevant) - np.searchsorted(relevant, relevant, side="left")
    shares = relevant_at_least / at_least
    fewer = np.maximum(at_least - 1, 1)
    precision = float(np.mean(shares))
    # Without an item, every relevant one that is not above it stands one place further up.
    lost = np.concatenate([[0.0], np.cumsum(shares - relevant_at_least / fewer)]) / len(relevant)
    influence = lost[np.searchsorted(relevant, scores, side="right")]
    if len(relevant) > 1:
        terms = shares - (relevant_at_least - 1) / fewer
        place = np.searchsorted(relevant, scores[own], side="right") - 1
        rest = len(relevant) * precision - shares[place] - np.cumsum(terms)[place] + terms[place]
        influence[own] = precision - rest / (len(relevant) - 1)
    for part in (own, ~own):
        m = np.count_nonzero(part)
        influence[part] = (influence[part] - influence[part].mean()) * (m - 1) / m if m > 1 else 0.0
    return precision, influence


def interval(values: np.ndarray, influences: np.ndarray, of: Groups) -> tuple[float, float, float]:
    """Mean of some scores, or of differences of scores, and the interval around it.

    Parameters
    ----------
    values : np.ndarray [shape=(n,), dtype=float64]
    influences : np.ndarray [shape=(F, G, G), dtype=float64]
        As in `Scores`: of differences, their differences.
    of : Groups

    Returns
    -------
    mean, low, high : float
        The interval is symmetric, with Student's quantile for a quarter as many values as there are groups: the
        variance, a difference of sums over pairs of them, is known no better (measured on random embeddings).
    """
    n, mean = len(values), float(values.mean())
    apart = np.zeros(of.sizes.shape)
    np.add.at(apart, (of.fold, of.group), values - mean)
    # What a query has of its own belongs evenly to all items of its gallery.
    shares = of.sizes / of.sizes.sum(axis=1, keepdims=True)
    u = (influences + apart[:, :, None] * shares[:, None, :]) / n
    own = np.einsum("fgg->fg", u)
    totals = u.sum(axis=1) + u.sum(axis=2) - own
    w = u + u.transpose(0, 2, 1)
    twice = (np.square(w).sum() - np.square(2 * own).sum()) / 2
    n_groups = np.count_nonzero(of.sizes)
    over_queries = float(np.square(values - mean).sum()) / n**2
    variance = max(float(np.square(totals).sum()) - twice, LEAST * over_queries) * n_groups / (n_groups - 1)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, max(n_groups / 4, 1))) * float(np.sqrt(variance))
    return mean, mean - reach, mean + reach
