r"""How far the difference between true pairs and pairs shuffled within their kind may be off.

**Conventions.** With :math:`f_{ij}` the measure of query i when item j counts as its pair, a *pool* of n songs has

.. math:: d = \frac1n \sum_i f_{ii} - \frac1n \sum_i \frac{1}{m_i} \sum_{j: c_j = c_i} f_{ij}
            = \frac1n \sum_i \frac{m_i - 1}{m_i}
              \Big(f_{ii} - \frac{1}{m_i - 1} \sum_{j \ne i: c_j = c_i} f_{ij}\Big)

for m_i songs of the kind of song i, averaged over deals, each with a pool and an embedding of its own. Songs are drawn
again by a pigeonhole bootstrap: every song has a random weight, the same as a query, as an item that stands for a pair,
and in all pools; the weight of a cell is the product of those of its two songs. Weights are exponential (mean and
variance 1), so that no kind is ever empty. The measures themselves are those of the whole pool: copies of a song in one
ranking would push each other down. The variance is that over songs, and what deals add to it:

.. math:: \operatorname{Var} = V_{\text{songs}} + \max(V_{\text{deals}} - V_{\text{cells}}, 0)

with :math:`V_{\text{deals}}` from the differences of the deals among each other, and :math:`V_{\text{cells}}` from
weights that are drawn for every deal anew: what deals differ by since their pools hold other songs was counted already.
One product of the weights of songs and deals would count that three times (measured: intervals 1.5 times as wide).

References
----------
Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007. Owen, Eckles, "Bootstrapping data arrays of
arbitrary order", Annals of Applied Statistics 6, 2012.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from unisono.errors import DataError
from unisono.evaluation.significance import LEVEL
from unisono.metrics._similarity import check_pair, score_blocks
from unisono.metrics.chance import harmonic_means
from unisono.metrics.precision import check_labels

#: Times that weights are drawn.
N_DRAWS = 1000

#: From how many items are better and how many tie (itself too) to a measure, any shape.
Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Pool(NamedTuple):
    """The songs that one deal is tested on.

    Attributes
    ----------
    queries : np.ndarray [shape=(n, d), dtype=any real]
    gallery : np.ndarray [shape=(n, d), dtype=any real]
        Row i is the pair of query i.
    kinds : np.ndarray [shape=(n,), dtype=int or str]
    songs : np.ndarray [shape=(n,), dtype=int or str]
        The same song has the same name in all pools.
    """

    queries: np.ndarray
    gallery: np.ndarray
    kinds: np.ndarray
    songs: np.ndarray


class Difference(NamedTuple):
    """True minus shuffled, over deals.

    Attributes
    ----------
    true, shuffled : float
        Means over queries and deals.
    mean, low, high : float
        Of the difference, with its interval of `LEVEL`.
    """

    true: float
    shuffled: float
    mean: float
    low: float
    high: float


def difference_interval(
    pools: Sequence[Pool], *, measure: str = "mrr", both: bool = False, seed: int = 0, n_draws: int = N_DRAWS
) -> Difference:
    """Compare true pairs with pairs shuffled within their kind, with an interval over songs and deals.

    Parameters
    ----------
    pools : sequence of Pool
        One a deal.
    measure : str
        ``mrr``, ``recall_at_<k>`` or ``mean_rank`` (where less is better, and so is a difference below 0).
    both : bool
        Mean of both directions: the gallery searched by the queries, and the queries by the gallery.
    seed : int
        Of the weights.
    n_draws : int
        Times that these are drawn.

    Returns
    -------
    Difference

    Raises
    ------
    DataError
        No pool, an unknown measure, a song twice in one pool, or embeddings, kinds and songs that do not pair.
    """
    of_places = _measure(measure)
    if not pools:
        raise DataError("no pool to compare; give one a deal")
    names = [np.asarray(pool.songs).astype(str) for pool in pools]
    for number, own in enumerate(names):
        if len(np.unique(own)) < len(own):
            raise DataError(f"pool {number}: a song stands there twice; a pool has one file of each song")
    everything, codes = np.unique(np.concatenate(names), return_inverse=True)
    generator = np.random.default_rng(seed)
    shared = generator.exponential(size=(n_draws, len(everything)))
    # The first draw is the estimate; then come those over songs, and those over the songs of each deal.
    found = np.empty((len(pools), 1 + 2 * n_draws))
    true, start = 0.0, 0
    for number, pool in enumerate(pools):
        n = len(names[number])
        own = generator.exponential(size=(n_draws, n))
        weights = np.concatenate([np.ones((1, n)), shared[:, codes[start : start + n]], own])
        start += n
        directions = [(pool.queries, pool.gallery), (pool.gallery, pool.queries)][: 1 + both]
        both_ways = [_compare(*direction, pool.kinds, weights, of_places) for direction in directions]
        true += float(np.mean([paired for paired, _ in both_ways])) / len(pools)
        found[number] = np.mean([apart for _, apart in both_ways], axis=0)
    mean = float(found[:, 0].mean())
    over_songs, cells = (part.mean(axis=0).var() for part in np.split(found[:, 1:], 2, axis=1))
    deals = found[:, 0].var(ddof=1) / len(pools) if len(pools) > 1 else 0.0
    spread = np.sqrt(over_songs + max(deals - cells, 0.0))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, max(len(everything) - 1, 1)) * spread)
    return Difference(true, true - mean, mean, mean - reach, mean + reach)


def _compare(
    queries: np.ndarray, gallery: np.ndarray, kinds: np.ndarray, weights: np.ndarray, measure: Measure
) -> tuple[float, np.ndarray]:
    """Measure the true pairs, and the difference for every row of weights [shape=(draws, n)]."""
    q, g = check_pair(queries, gallery)
    n = weights.shape[1]
    if not len(q) == len(g) == n:
        raise DataError(f"{len(q)} queries, a gallery of {len(g)} and {n} songs do not pair: row i is one song")
    codes, _ = check_labels(kinds, kinds, n, n)
    true, apart = 0.0, np.zeros(len(weights))
    for code in range(codes.max() + 1):
        same = np.flatnonzero(codes == code)
        drawn = weights[:, same]
        total = drawn.sum(axis=1, keepdims=True)
        for start, scores in score_blocks(q[same], g):
            block = np.arange(start, start + len(scores))
            cells = np.stack([_cells(row, row[same], measure) for row in scores])
            own = cells[np.arange(len(block)), block]
            true += float(own.sum()) / n
            if len(same) > 1:
                others = (drawn @ cells.T - drawn[:, block] * own) / (total - drawn[:, block])
                apart += (drawn[:, block] * (own - others)).sum(axis=1) * (1 - 1 / len(same))
    return true, apart / weights.sum(axis=1)


def _cells(row: np.ndarray, chosen: np.ndarray, measure: Measure) -> np.ndarray:
    """Measure a query with each of some scores as that of its pair [shape=(m,)]."""
    ascending = np.sort(row)
    above = np.searchsorted(ascending, chosen, side="right")
    return measure(len(row) - above, above - np.searchsorted(ascending, chosen, side="left"))


def _measure(name: str) -> Measure:
    """Find a measure by its name."""
    if name == "mrr":
        return harmonic_means
    if name == "mean_rank":
        return lambda better, tied: better + (tied + 1) / 2
    match = re.fullmatch(r"recall_at_([1-9][0-9]*)", name)
    if match is None:
        raise DataError(f"measure: got {name!r}, expected mrr, recall_at_<k> or mean_rank")
    k = int(match[1])
    return lambda better, tied: np.clip((k - better) / tied, 0, 1)
