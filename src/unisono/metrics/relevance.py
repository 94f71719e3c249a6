r"""Measures of scores against any relevance: every pair of query and item is relevant or not, whatever made it so.

**Conventions.** Scores come as a matrix, however they were made: higher is nearer, NaN and infinity raise. Relevance is
a matrix of the same shape, boolean or a SciPy sparse one; what is not zero is relevant. A query without a relevant item
is left out of every mean. Ties count by their expectation over all orders of tied items, so that constant scores score
chance, but average precision takes a tied group as one step, as scikit-learn does. N items, of which R are relevant,
in random order have

.. math:: E[r] = \frac{N+1}{R+1}, \qquad P(r \le k) = 1 - \binom{N-R}{k} \Big/ \binom Nk

for the rank r of the first relevant one. A median is that of ranks over queries and orders together: half of them, each
query with the weight of one, lie at or below it. Values are fractions, not per cents. One query is ranked at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from unisono.errors import DataError
from unisono.metrics._places import best_relevant, cut_offs, first_places, middle, step_precision
from unisono.metrics.chance import chance_precisions

if TYPE_CHECKING:
    from scipy import sparse

    #: A matrix of which items are relevant to which queries.
    Relevant: TypeAlias = np.ndarray | sparse.csr_array


class Measures(NamedTuple):
    """All measures at once; arrays are by query, NaN where no item is relevant. Means leave such queries out.

    Attributes
    ----------
    average_precisions : np.ndarray [shape=(n_queries,), dtype=float64]
    ranks : np.ndarray [shape=(n_queries,), dtype=float64]
        Expected rank of the first relevant item; 1 is best.
    reciprocal_ranks : np.ndarray [shape=(n_queries,), dtype=float64]
        Expectation of one over it.
    hits : np.ndarray [shape=(n_queries, len(ks)), dtype=float64]
        Probability that it is among the first k, by cut-off.
    places : np.ndarray [shape=(n_gallery,), dtype=float64]
        Of all queries together, expected number whose first relevant item is at place 1, 2, ...
    """

    average_precisions: np.ndarray
    ranks: np.ndarray
    reciprocal_ranks: np.ndarray
    hits: np.ndarray
    places: np.ndarray

    @property
    def mean_average_precision(self) -> float:
        """Mean of the average precisions."""
        return float(np.nanmean(self.average_precisions))

    @property
    def recalls(self) -> np.ndarray:
        """Part of the queries with a relevant item among the first k [shape=(len(ks),), dtype=float64]."""
        found: np.ndarray = np.nanmean(self.hits, axis=0)
        return found

    @property
    def mean_reciprocal_rank(self) -> float:
        """Mean of the reciprocal ranks of the first relevant item."""
        return float(np.nanmean(self.reciprocal_ranks))

    @property
    def mean_rank(self) -> float:
        """Mean rank of the first relevant item."""
        return float(np.nanmean(self.ranks))

    @property
    def median(self) -> float:
        """Median rank of the first relevant item, over queries and orders of ties."""
        return middle(self.places) + 1

    @property
    def recall(self) -> np.ndarray:
        """Part of the queries with a relevant item among the first 1, 2, ... [shape=(n_gallery,), dtype=float64]."""
        reached = np.cumsum(self.places)
        curve: np.ndarray = reached / reached[-1]
        return curve


def measure(scores: np.ndarray, relevant: Relevant, *, ks: Sequence[int] = (1, 5, 10)) -> Measures:
    """Compute all measures of a ranking in one pass.

    Parameters
    ----------
    scores : np.ndarray [shape=(n_queries, n_gallery), dtype=any real]
        As `unisono.models.Aligner.score` gives them.
    relevant : np.ndarray or scipy.sparse matrix [shape=(n_queries, n_gallery), dtype=bool]
    ks : sequence of int
        Cut-offs, at least 1 each.

    Returns
    -------
    Measures

    Raises
    ------
    DataError
        NaN or infinity, shapes that do not fit, no relevant pair, or a cut-off below 1.

    Examples
    --------
    >>> found = measure([[0.9, 0.5, 0.1], [0.2, 0.2, 0.1]], [[0, 1, 1], [1, 0, 0]], ks=[1, 2])
    >>> found.average_precisions.round(3).tolist(), found.ranks.tolist(), found.hits.tolist()
    ([0.583, 0.5], [2.0, 1.5], [[0.0, 1.0], [0.5, 1.0]])
    >>> found.median, found.recall.tolist()
    (2.0, [0.25, 1.0, 1.0])
    """
    cuts = cut_offs(ks)
    checked, relation = _check(scores, relevant)
    n_queries, n_gallery = checked.shape
    made = _empty(n_queries, n_gallery, cuts)
    for query, row, its in _ranked(checked, relation):
        made.average_precisions[query] = step_precision(row, its)
        _count(made, query, cuts, *best_relevant(row, its))
    return made


def chance(relevant: Relevant, *, ks: Sequence[int] = (1, 5, 10)) -> Measures:
    """Compute what `measure` has in expectation for a random order without ties, exactly.

    Parameters
    ----------
    relevant : np.ndarray or scipy.sparse matrix [shape=(n_queries, n_gallery), dtype=bool]
    ks : sequence of int
        Cut-offs, at least 1 each.

    Returns
    -------
    Measures

    Raises
    ------
    DataError
        No matrix, no relevant pair, or a cut-off below 1.

    Examples
    --------
    >>> found = chance([[0, 1, 1, 0]], ks=[1, 2])
    >>> found.ranks.round(3).tolist(), found.hits.round(3).tolist(), found.median
    ([1.667], [[0.5, 0.833]], 1.5)
    """
    cuts = cut_offs(ks)
    relation = _check_relevant(relevant)
    n_queries, n_gallery = relation.shape
    made = _empty(n_queries, n_gallery, cuts)
    sizes = np.diff(relation.indptr)
    for size in np.unique(sizes[sizes > 0]).tolist():
        queries = np.flatnonzero(sizes == size)
        _count(made, queries, cuts, 0, n_gallery, size)
    made.average_precisions[sizes > 0] = chance_precisions(sizes[sizes > 0], n_gallery)
    return made


def _empty(n_queries: int, n_gallery: int, cuts: np.ndarray) -> Measures:
    precisions, ranks, reciprocal = (np.full(n_queries, np.nan) for _ in range(3))
    return Measures(precisions, ranks, reciprocal, np.full((n_queries, len(cuts)), np.nan), np.zeros(n_gallery))


def _count(made: Measures, query: int | np.ndarray, cuts: np.ndarray, better: int, tied: int, own: int) -> None:
    """Enter the rank of the first relevant item of a query, or of queries that are alike."""
    chances = first_places(tied, own) if own < tied else np.ones(1)
    places = better + np.arange(1, len(chances) + 1)
    reached = np.concatenate([[0.0], np.minimum(np.cumsum(chances), 1.0)])
    made.ranks[query] = better + (tied + 1) / (own + 1)
    made.reciprocal_ranks[query] = np.sum(chances / places)
    # The last place has 1 without rounding.
    reached[-1] = 1.0
    made.hits[query] = reached[np.clip(cuts - better, 0, len(chances))]
    made.places[better : better + len(chances)] += chances * np.size(query)


def _ranked(scores: np.ndarray, relation: sparse.csr_array) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield each query with relevant items, all its scores and those of relevant items, both ascending."""
    for query, row in enumerate(scores):
        if not np.isfinite(row).all():
            raise DataError(f"scores, row {query}: NaN or infinite value; a score must be finite")
        columns = relation.indices[relation.indptr[query] : relation.indptr[query + 1]]
        if len(columns):
            its = row.astype(np.float64)
            yield query, np.sort(its), np.sort(its[columns])


def _check(scores: np.ndarray, relevant: Relevant) -> tuple[np.ndarray, sparse.csr_array]:
    checked, relation = np.asarray(scores), _check_relevant(relevant)
    if checked.ndim != 2 or checked.dtype.kind not in "fiub":
        raise DataError(f"scores: expected numbers of shape (n, m), got {checked.dtype} of shape {checked.shape}")
    if checked.shape != relation.shape:
        raise DataError(f"scores have shape {checked.shape}, relevance {relation.shape}; both are queries by items")
    return checked, relation


def _check_relevant(relevant: Relevant) -> sparse.csr_array:
    """Turn relevance into a sparse matrix that stores what is relevant and nothing else."""
    from scipy import sparse

    matrix = relevant if sparse.issparse(relevant) else np.asarray(relevant)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise DataError(f"relevance: expected booleans of shape (n, m), got {matrix.dtype} of shape {matrix.shape}")
    if matrix.dtype.kind == "f" and np.isnan(matrix.sum()):
        raise DataError("relevance: NaN, expected true or false for each pair")
    relation = sparse.csr_array(matrix != 0)
    relation.sum_duplicates()
    relation.eliminate_zeros()
    if not relation.nnz:
        raise DataError("no query has a relevant item: no pair is marked as relevant")
    return relation
