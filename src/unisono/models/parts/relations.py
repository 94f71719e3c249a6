"""Which items of one view belong to which of another: relations, where a row of one view has no single partner.

**Conventions.** A relation is a boolean matrix of the rows of two views, a sorted CSR matrix inside; rows are those of
the view that comes first by name. scipy is imported inside functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.errors import DataError

if TYPE_CHECKING:
    from scipy import sparse

#: Most pairs of rows that a method of paired rows learns from; of more, so many are drawn.
MOST_PAIRS = 100_000


def check_relation(name: str, relevance: Any, views: Mapping[str, np.ndarray]) -> sparse.csr_array:
    """Check which rows of two views are relevant to each other.

    Parameters
    ----------
    name : str
        The method, for messages.
    relevance : np.ndarray or scipy.sparse matrix [shape=(n_a, n_b), dtype=bool or any real]
        What is not zero is relevant; n_a are the rows of the view that comes first by name.
    views : mapping of str to np.ndarray
        Two, sorted by name.

    Returns
    -------
    scipy.sparse.csr_array [shape=(n_a, n_b), dtype=bool]
        With sorted indices and nothing stored that is not relevant. A row without a relevant partner is allowed.

    Raises
    ------
    DataError
        Other than two views, another shape, not numbers, NaN, or no relevant pair.
    """
    from scipy import sparse

    if len(views) != 2:
        raise DataError(f"{name}: relevance is of two views, got {len(views)} ({', '.join(views)}); choose two")
    (first, a), (second, b) = views.items()
    matrix = relevance if sparse.issparse(relevance) else np.asarray(relevance)
    if matrix.shape != (len(a), len(b)):
        raise DataError(
            f"{name}: relevance has shape {matrix.shape}, expected ({len(a)}, {len(b)}): a row for each of view "
            f"{first!r}, a column for each of view {second!r}"
        )
    if matrix.dtype.kind not in "biuf" or (matrix.dtype.kind == "f" and np.isnan(matrix.sum())):
        raise DataError(f"{name}: relevance holds {matrix.dtype} or NaN, expected true or false for each pair")
    relation = sparse.csr_array(matrix, copy=True)
    relation.sum_duplicates()
    relation.eliminate_zeros()
    if not relation.nnz:
        raise DataError(
            f"{name}: no row of view {first!r} is relevant to one of {second!r}; at least one pair is needed"
        )
    relation.data = np.ones(relation.nnz, dtype=bool)
    return relation.astype(bool)


def of_labels(labels: np.ndarray | None, n_items: int) -> sparse.csr_array:
    """Make the relation of paired rows: those of one label, or without labels each row and itself.

    Parameters
    ----------
    labels : np.ndarray [shape=(n_items,), dtype=int or str], optional
    n_items : int

    Returns
    -------
    scipy.sparse.csr_array [shape=(n_items, n_items), dtype=bool]

    Examples
    --------
    >>> of_labels(np.array(["dog", "cat", "dog"]), 3).toarray().astype(int).tolist()
    [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    """
    from scipy import sparse

    codes = np.arange(n_items) if labels is None else np.unique(labels, return_inverse=True)[1]
    member = sparse.csr_array((np.ones(n_items, dtype=bool), (np.arange(n_items), codes)))
    relation = sparse.csr_array(member @ member.T)
    relation.sort_indices()
    return relation


def pairs_of(name: str, relation: sparse.csr_array, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """List the relevant pairs, row by row.

    Parameters
    ----------
    name : str
        The method, for messages.
    relation : scipy.sparse.csr_array [shape=(n_a, n_b), dtype=bool]
    seed : int
        Of what is drawn where there are more than `MOST_PAIRS`, with a warning.

    Returns
    -------
    rows, columns : np.ndarray [shape=(n_pairs,), dtype=int64]
    """
    rows = np.repeat(np.arange(relation.shape[0]), np.diff(relation.indptr))
    columns = relation.indices.astype(np.int64)
    if len(rows) > MOST_PAIRS:
        warnings.warn(
            f"{name}: learns from {MOST_PAIRS} of {len(rows)} relevant pairs, drawn by the seed, since it takes paired "
            "rows; a relational method takes the relation itself",
            stacklevel=3,
        )
        drawn = np.sort(np.random.default_rng(seed).choice(len(rows), MOST_PAIRS, replace=False))
        rows, columns = rows[drawn], columns[drawn]
    return rows, columns
