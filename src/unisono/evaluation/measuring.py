"""Measures of one direction, their expectation for a random order, and means over parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unisono import metrics

#: Cut-offs of the recall.
CUTOFFS = (1, 5, 10)
#: Most cut-offs of a curve that is written.
CURVE_POINTS = 200


def measure(
    queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray | None, *, correlation: bool = False
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Score one direction.

    Parameters
    ----------
    queries, gallery : np.ndarray [shape=(n, k), dtype=any real]
        Row i of both is the same item.
    labels : np.ndarray [shape=(n,), dtype=int or str] or None
    correlation : bool
        Whether components of both are meant to correlate, so that their total correlation is a measure.

    Returns
    -------
    values : dict of str to float
        All measures that apply.
    curves : dict of str to np.ndarray [shape=(n,), dtype=float64]
        At cut-off 1, 2, ..., n: ``recall`` of the own pair and, with labels, ``class_precision`` and
        ``class_recall``.
    """
    values, curves = {}, {}
    if labels is not None:
        values["map"] = metrics.mean_average_precision(queries, gallery, labels, labels)
        precision, recall = metrics.precision_recall_curve(queries, gallery, labels, labels)
        curves = {"class_precision": precision, "class_recall": recall}
    curve = curves["recall"] = metrics.recall_curve(queries, gallery)
    for k in CUTOFFS:
        values[f"recall_at_{k}"] = float(curve[min(k, len(curve)) - 1])
    ranks = metrics.ranks(queries, gallery)
    values["median_rank"] = float(np.median(ranks))
    values["mean_rank"] = float(np.mean(ranks))
    if correlation:
        values["total_correlation"], values["trace_norm"] = metrics.total_correlation(queries, gallery)
    return values, curves


def chance(pool: int, labels: np.ndarray | None) -> dict[str, float]:
    """Compute the expectation of every measure for a random order, where there is one, and the pool.

    Parameters
    ----------
    pool : int
        Items that are ranked.
    labels : np.ndarray [shape=(pool,), dtype=int or str] or None

    Returns
    -------
    dict of str to float
    """
    values: dict[str, float] = {"pool": pool}
    if labels is not None:
        values["map"] = metrics.chance_map(labels, labels)
    for k in CUTOFFS:
        values[f"recall_at_{k}"] = metrics.chance_recall(k, pool)
    values["median_rank"] = values["mean_rank"] = metrics.chance_rank(pool)
    return values


def summary(scores: Sequence[dict[str, float]], chances: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Average each measure over parts and seeds, with its deviation (0 for a single one), pool and chance."""
    found: dict[str, Any] = {}
    for name in scores[0]:
        values = np.array([score[name] for score in scores])
        found[name] = float(values.mean())
        found[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    found["pool"] = round(float(np.mean([each["pool"] for each in chances])))
    known = [name for name in scores[0] if name in chances[0]]
    found["chance"] = {name: float(np.mean([each[name] for each in chances])) for name in known}
    return found


def mean_curve(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Average curves over parts, up to the end of the shortest."""
    shortest = min(len(curve) for curve in curves)
    mean: np.ndarray = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean


def cutoffs(pool: int) -> np.ndarray:
    """Choose the cut-offs at which a curve is written.

    Parameters
    ----------
    pool : int

    Returns
    -------
    np.ndarray [shape=(at most CURVE_POINTS,), dtype=int64]
        1, 2, ..., pool in a small pool; in a larger one the first ten and others at equal ratios, the pool last.
    """
    if pool <= CURVE_POINTS:
        return np.arange(1, pool + 1)
    spread = np.geomspace(10, pool, CURVE_POINTS - 9).round().astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, 11), spread]))
