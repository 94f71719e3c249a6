"""Measures by class: a gallery item is relevant when it has the query's label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unisono.errors import DataError
from unisono.metrics._places import step_precision
from unisono.metrics._similarity import check_pair, score_blocks


def average_precisions(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> np.ndarray:
    r"""Average precision of each query's full ranking by cosine.

    .. math:: AP = \frac1R \sum_{r \text{ relevant}} \frac{\#\{\text{relevant } j: s_j \ge s_r\}}
              {\#\{j: s_j \ge s_r\}}

    Tied items enter as one step, as in scikit-learn's ``average_precision_score``, so the order of the
    gallery never matters; a constant embedding scores R/N. Where every item is a class of its own, it is the
    reciprocal rank of the own pair.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_queries, d), dtype=any real]
    gallery : np.ndarray [shape=(n_gallery, d), dtype=any real]
        A query's own pair, if there, counts like any other item.
    query_labels : np.ndarray [shape=(n_queries,), dtype=int or str]
    gallery_labels : np.ndarray [shape=(n_gallery,), dtype=int or str]

    Returns
    -------
    np.ndarray [shape=(n_queries,), dtype=float64]
        In [0, 1]; NaN for a query without a relevant item.

    Raises
    ------
    DataError
        NaN or infinity, shapes that do not fit, or no query with a relevant item.

    References
    ----------
    The dissertation's section 3.3.2.

    Examples
    --------
    >>> gallery = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> average_precisions([[1.0, 0.1], [0.0, 1.0]], gallery, ["dog", "bird"], ["dog", "cat", "dog"]).round(4).tolist()
    [0.8333, nan]
    """
    precisions = np.full(len(queries), np.nan)
    for query, scores, relevant in relevant_scores(queries, gallery, query_labels, gallery_labels):
        precisions[query] = step_precision(scores, relevant)
    return precisions


def mean_average_precision(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> float:
    """Mean of `average_precisions` over the queries that have a relevant item.

    Parameters
    ----------
    queries, gallery, query_labels, gallery_labels
        As in `average_precisions`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        As `average_precisions`.

    References
    ----------
    The dissertation's section 3.3.2.

    Examples
    --------
    >>> gallery = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> round(mean_average_precision([[1.0, 0.1]], gallery, ["dog"], ["dog", "cat", "dog"]), 4)
    0.8333
    """
    precisions = average_precisions(queries, gallery, query_labels, gallery_labels)
    return float(np.mean(precisions[~np.isnan(precisions)]))


def precision_recall_curve(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall after each of the first 1, 2, ..., n_gallery items, as means over queries.

    Relevant items of a tied group are spread evenly over its places (the expectation over all orders), so the
    order of the gallery never matters and a constant embedding has precision R/N at every cut-off.

    Parameters
    ----------
    queries, gallery, query_labels, gallery_labels
        As in `average_precisions`.

    Returns
    -------
    precision : np.ndarray [shape=(n_gallery,), dtype=float64]
    recall : np.ndarray [shape=(n_gallery,), dtype=float64]
        A query without a relevant item is left out of both.

    Raises
    ------
    DataError
        As `average_precisions`.

    Examples
    --------
    >>> gallery = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> precision, recall = precision_recall_curve([[1.0, 0.1]], gallery, [1], [1, 2, 1])
    >>> precision.round(3).tolist(), recall.tolist()
    ([1.0, 0.5, 0.667], [0.5, 0.5, 1.0])
    """
    n_gallery, n_counted = len(gallery), 0
    # Change, from one place to the next, of the expected relevant items there: as a count, and as a part of R.
    count_steps, part_steps = np.zeros(n_gallery + 1), np.zeros(n_gallery + 1)
    for _, scores, relevant in relevant_scores(queries, gallery, query_labels, gallery_labels):
        first = n_gallery - np.searchsorted(scores, relevant, side="right")
        after = n_gallery - np.searchsorted(scores, relevant, side="left")
        density = 1 / (after - first)
        for steps, weight in ((count_steps, 1.0), (part_steps, 1 / len(relevant))):
            np.add.at(steps, first, density * weight)
            np.subtract.at(steps, after, density * weight)
        n_counted += 1
    hits = np.cumsum(np.cumsum(count_steps[:-1])) / n_counted
    recall = np.cumsum(np.cumsum(part_steps[:-1])) / n_counted
    return hits / np.arange(1, n_gallery + 1), recall


def check_labels(
    query_labels: np.ndarray, gallery_labels: np.ndarray, n_queries: int, n_gallery: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turn both sets of labels into codes of one numbering.

    Returns
    -------
    tuple of np.ndarray [shape=(n_queries,) and (n_gallery,), dtype=int]

    Raises
    ------
    DataError
        Other lengths than the embeddings', a label that is missing, or numbers against strings.
    """
    both = [np.asarray(query_labels), np.asarray(gallery_labels)]
    for labels, n_items, where in zip(both, (n_queries, n_gallery), ("query", "gallery"), strict=True):
        if labels.shape != (n_items,):
            raise DataError(f"{where}_labels: got shape {labels.shape}, expected ({n_items},)")
        refuse_missing(labels, where=f"{where}_labels")
    if (both[0].dtype.kind in "UOS") != (both[1].dtype.kind in "UOS"):
        raise DataError(f"labels of two kinds: queries {both[0].dtype}, gallery {both[1].dtype}")
    codes = np.unique(np.concatenate(both), return_inverse=True)[1]
    return codes[:n_queries], codes[n_queries:]


def refuse_missing(labels: np.ndarray, *, where: str) -> None:
    """Raise `DataError` where a label is NaN or None, which would count as a class."""
    if labels.dtype.kind in "iubUS":
        return
    missing = np.array([label is None or label != label for label in labels.tolist()])
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{where}, row {row}: {labels[row]}, expected a class; leave rows without one out")


def relevant_scores(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield each query with relevant items, all its scores and those of relevant items, both ascending.

    Scores alone are sorted, never their positions: places are looked up in them.

    Parameters
    ----------
    queries, gallery, query_labels, gallery_labels
        As in `average_precisions`.

    Yields
    ------
    query : int
    scores : np.ndarray [shape=(n_gallery,), dtype=float64]
    relevant : np.ndarray [shape=(R,), dtype=float64]

    Raises
    ------
    DataError
        As `average_precisions`.
    """
    q, g = check_pair(queries, gallery)
    query_codes, gallery_codes = check_labels(query_labels, gallery_labels, len(q), len(g))
    order = np.argsort(gallery_codes, kind="stable")
    # With the gallery sorted by class, the relevant scores of a query are a slice.
    start = np.searchsorted(gallery_codes[order], query_codes, side="left")
    stop = np.searchsorted(gallery_codes[order], query_codes, side="right")
    if (start == stop).all():
        raise DataError("no query has a relevant item: query_labels and gallery_labels share no label")
    for first, scores in score_blocks(q, g[order]):
        for row, query in zip(scores, range(first, first + len(scores)), strict=True):
            if start[query] == stop[query]:
                continue
            relevant = np.sort(row[start[query] : stop[query]])
            row.sort()
            yield query, row, relevant
