r"""How far the difference between true pairs and pairs shuffled within their kind may be off.

**Conventions.** With :math:`f_{ij}` the measure of query i when item j counts as its pair, a *pool* of n songs has

.. math:: d = \frac1n \sum_i f_{ii} - \frac1n \sum_i \frac{1}{m_i} \sum_{j: c_j = c_i} f_{ij}
            = \frac1n \sum_i \frac{m_i - 1}{m_i}
              \Big(f_{ii} - \frac{1}{m_i - 1} \sum_{j \ne i: c_j = c_i} f_{ij}\Big)

for m_i songs of the kind of song i. It is averaged over deals, each with a pool and an embedding of its own. The
interval is a pigeonhole bootstrap: every song has a random weight, the same as a query, as an item that is drawn, and
in every deal; every deal has one, too; and the weight of a cell is the product of those. Weights are exponential
(mean and variance 1), so that no kind is ever empty. The measures themselves are those of the whole pool: copies of a
song in one ranking would push each other down.

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
    # The first row is the estimate.
    songs = np.concatenate([np.ones((1, len(everything))), generator.exponential(size=(n_draws, len(everything)))])
    deals = np.concatenate([np.ones((1, len(pools))), generator.exponential(size=(n_draws, len(pools)))])
    found = np.zeros(len(songs))
    true, start = 0.0, 0
    for number, pool in enumerate(pools):
        n = len(names[number])
        weights = songs[:, codes[start : start + n]]
        start += n
        directions = [(pool.queries, pool.gallery), (pool.gallery, pool.queries)][: 1 + both]
        for queries, gallery in directions:
            own, apart = _compare(queries, gallery, pool.kinds, weights, of_places)
            true += own / len(directions) / len(pools)
            found += deals[:, number] * apart / len(directions)
    found /= deals.sum(axis=1)
    mean = float(found[0])
    reach = float(stats.t.ppf((1 + LEVEL) / 2, max(len(everything) - 1, 1)) * np.std(found[1:]))
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
    of_kind = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    true, apart = 0.0, np.zeros(len(weights))
    for start, scores in score_blocks(q, g):
        for query, row in enumerate(scores, start):
            same = of_kind[codes[query]]
            ascending = np.sort(row)
            above = np.searchsorted(ascending, row[same], side="right")
            cells = measure(n - above, above - np.searchsorted(ascending, row[same], side="left"))
            other = same != query
            own = float(cells[~other][0])
            true += own / n
            if other.any():
                drawn = weights[:, same[other]]
                lead = own - drawn @ cells[other] / drawn.sum(axis=1)
                apart += weights[:, query] * lead * (1 - 1 / len(same))
    return true, apart / weights.sum(axis=1)


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
