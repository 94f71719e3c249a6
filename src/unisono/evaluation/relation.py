"""Experiments on items of one view each, of which any two that share a tag belong together.

**Conventions.** A direction has the test items of one view as queries and those of the other as gallery. An item is
relevant where it shares a tag of the deal with the query; queries without a relevant item are left out. What is ranked
are a method's own scores (`unisono.models.Aligner.score`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from unisono import metrics
from unisono.evaluation.measuring import CUTOFFS

if TYPE_CHECKING:
    from unisono.datasets.loading import Dataset
    from unisono.evaluation.divisions import Part

#: Items kept of the ranking of a query.
KEPT = 20


def relevance(queries: np.ndarray, gallery: np.ndarray) -> sparse.csr_matrix:
    """Say which items share a tag.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_queries, W), dtype=int32]
        Tags of a deal, padded with -1.
    gallery : np.ndarray [shape=(n_gallery, W), dtype=int32]

    Returns
    -------
    csr_matrix [shape=(n_queries, n_gallery), dtype=bool]

    Examples
    --------
    >>> relevance(np.array([[3, 1], [2, -1]]), np.array([[1, -1], [-1, -1]])).toarray().tolist()
    [[True, False], [False, False]]
    """
    n_tags = 1 + max(int(queries.max(initial=-1)), int(gallery.max(initial=-1)))
    left, right = (_indicator(tags, max(n_tags, 1)) for tags in (queries, gallery))
    return (left @ right.T).astype(bool).tocsr()


def _indicator(tags: np.ndarray, n_tags: int) -> sparse.csr_matrix:
    rows, places = np.nonzero(tags >= 0)
    ones = np.ones(len(rows), dtype=np.int32)
    return sparse.csr_matrix((ones, (rows, tags[rows, places])), shape=(len(tags), n_tags))


def measure(scores: np.ndarray, relevant: sparse.csr_matrix) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Score one direction, as `unisono.evaluation.measuring.measure`.

    Parameters
    ----------
    scores : np.ndarray [shape=(n_queries, n_gallery), dtype=float64]
    relevant : csr_matrix [shape=(n_queries, n_gallery), dtype=bool]

    Returns
    -------
    values : dict of str to float
        MAP; of the first relevant item the recall at `CUTOFFS`, reciprocal, median and mean rank.
    curves : dict of str to np.ndarray [shape=(n_gallery,), dtype=float64]
        ``recall``: that one of the first 1, 2, ... items is relevant.
    """
    found = metrics.relevance.measure(scores, relevant, ks=CUTOFFS)
    return _means(found), {"recall": found.recall}


def chance(relevant: sparse.csr_matrix) -> dict[str, Any]:
    """Compute the expectation of every measure of `measure` for a random order.

    Parameters
    ----------
    relevant : csr_matrix [shape=(n_queries, n_gallery), dtype=bool]

    Returns
    -------
    dict of str to float
        Also ``pool``, the items that are ranked; ``queries``, those with a relevant item; ``relevant``, how many they
        have on the average.
    """
    sizes = np.diff(relevant.indptr)
    asked = sizes[sizes > 0]
    facts = {"pool": relevant.shape[1], "queries": len(asked), "relevant": float(asked.mean())}
    return facts | _means(metrics.relevance.chance(relevant, ks=CUTOFFS))


def _means(found: metrics.relevance.Measures) -> dict[str, float]:
    """Average over the queries with a relevant item."""
    recalls = {f"recall_at_{k}": float(value) for k, value in zip(CUTOFFS, found.recalls, strict=True)}
    ranks = {"mrr": found.mean_reciprocal_rank, "median_rank": found.median, "mean_rank": found.mean_rank}
    return {"map": found.mean_average_precision} | recalls | ranks


def chance_of(dataset: Dataset, part: Part, direction: str) -> dict[str, Any]:
    """Compute `chance` of a direction (``"image->lyrics"``) in a part."""
    of = rows_of(dataset.present, part.test)
    assert dataset.tags is not None
    query, target = (dataset.tags[of[view], part.fold] for view in direction.split("->"))
    return chance(relevance(query, target))


def rankings(scores: np.ndarray, relevant: sparse.csr_matrix) -> dict[str, np.ndarray]:
    """Keep what a query finds.

    Parameters
    ----------
    scores, relevant
        As in `measure`.

    Returns
    -------
    dict of str to np.ndarray
        ``found`` (n_queries, K) int32, rows of the gallery, the best first and of equal ones the first by row;
        ``score`` and ``right`` of the same shape; ``precision`` and ``rank`` (n_queries,), average precision and rank
        of the first relevant item, NaN where there is none.
    """
    whole = metrics.relevance.measure(scores, relevant)
    n_kept = min(KEPT, scores.shape[1])
    found = np.argsort(-scores, axis=1, kind="stable")[:, :n_kept].astype(np.int32)
    right = np.take_along_axis(relevant.toarray(), found, axis=1)
    return {
        "found": found, "score": np.take_along_axis(scores, found, axis=1), "right": right,
        "precision": whole.average_precisions, "rank": whole.ranks,
    }  # fmt: skip


def rows_of(present: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Sort rows by the view that they have."""
    return {view: rows[has[rows]] for view, has in present.items()}
