"""Measures of one direction, their expectation for a random order, and means over parts.

**Conventions.** Where items are of kinds (``Dataset.kinds``), two more things are told of each measure by pair: what is
left when pairs are shuffled among the items of a kind (``mrr_within``), and what an oracle would score that knows the
kinds alone (``oracle``). Both are exact expectations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono import metrics

if TYPE_CHECKING:
    from unisono.datasets.loading import Dataset

#: Cut-offs of the recall.
CUTOFFS = (1, 5, 10)
#: Most cut-offs of a curve that is written.
CURVE_POINTS = 200


@dataclass(frozen=True)
class Classes:
    """What is known of the items of a pool, beside which pairs belong together.

    Attributes
    ----------
    labels, kinds : np.ndarray [shape=(n,), dtype=int or str] or None
        See `unisono.datasets.loading.Dataset`.
    categories : dict of str to np.ndarray [shape=(n,), dtype=str]
        "" where it is not known.
    """

    labels: np.ndarray | None = None
    kinds: np.ndarray | None = None
    categories: Mapping[str, np.ndarray] = field(default_factory=dict)


def classes_of(dataset: Dataset, rows: np.ndarray) -> Classes:
    """Take the classes of some rows of a data set."""
    return Classes(
        labels=None if dataset.labels is None else dataset.labels[rows],
        kinds=None if dataset.kinds is None else dataset.kinds[rows],
        categories={name: column[rows] for name, column in dataset.categories.items()},
    )


def measure(
    queries: np.ndarray, gallery: np.ndarray, classes: Classes, *, correlation: bool = False
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Score one direction.

    Parameters
    ----------
    queries, gallery : np.ndarray [shape=(n, k), dtype=any real]
        Row i of both is the same item.
    classes : Classes
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
    labels = classes.labels
    if labels is not None:
        values["map"] = metrics.mean_average_precision(queries, gallery, labels, labels)
        precision, recall = metrics.precision_recall_curve(queries, gallery, labels, labels)
        curves = {"class_precision": precision, "class_recall": recall}
    curve = curves["recall"] = metrics.recall_curve(queries, gallery)
    for k in CUTOFFS:
        values[f"recall_at_{k}"] = float(curve[min(k, len(curve)) - 1])
    values["mrr"] = metrics.mean_reciprocal_rank(queries, gallery)
    for name, column in classes.categories.items():
        known = column != ""
        if known.any():
            values[f"class_mrr_{name}"] = metrics.class_reciprocal_rank(queries[known], gallery, column[known], column)
            if classes.kinds is not None:
                values[f"class_mrr_{name}_within"] = _class_within(queries, gallery, column, classes.kinds)
    if classes.kinds is not None:
        shuffled = _by_kind(metrics.within(queries, gallery, classes.kinds, ks=CUTOFFS))
        values |= {f"{name}_within": value for name, value in shuffled.items()}
    ranks = metrics.ranks(queries, gallery)
    values["median_rank"] = float(np.median(ranks))
    values["mean_rank"] = float(np.mean(ranks))
    if correlation:
        values["total_correlation"], values["trace_norm"] = metrics.total_correlation(queries, gallery)
    return values, curves


def measure_scores(scores: np.ndarray, classes: Classes) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Score one direction of a method that scores pairs together, as `measure`, by its scores.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, n), dtype=float64]
        Row i of queries and gallery is the same item.
    classes : Classes
        Labels alone count.

    Returns
    -------
    values : dict of str to float
        Recall, reciprocal and mean ranks of the own pair; with labels MAP.
    curves : dict of str to np.ndarray [shape=(n,), dtype=float64]
        ``recall``.
    """
    own = metrics.relevance.measure(scores, np.eye(len(scores), dtype=bool), ks=CUTOFFS)
    values = {}
    if classes.labels is not None:
        same = classes.labels[:, None] == classes.labels
        values["map"] = metrics.relevance.measure(scores, same, ks=()).mean_average_precision
    values |= {f"recall_at_{k}": float(value) for k, value in zip(CUTOFFS, own.recalls, strict=True)}
    values["mrr"] = own.mean_reciprocal_rank
    values |= {"median_rank": float(np.median(own.ranks)), "mean_rank": own.mean_rank}
    return values, {"recall": own.recall}


def _by_kind(expected: metrics.Expected) -> dict[str, float]:
    """Name what is expected of the measures by pair where only kinds count."""
    recalls = {f"recall_at_{k}": float(hits.mean()) for k, hits in zip(CUTOFFS, expected.hits.T, strict=True)}
    ranks = {"median_rank": expected.median, "mean_rank": float(expected.ranks.mean())}
    return {"mrr": float(expected.reciprocal.mean())} | recalls | ranks


def _class_within(queries: np.ndarray, gallery: np.ndarray, column: np.ndarray, kinds: np.ndarray) -> float:
    """Compute the class MRR that is left when classes are shuffled among the items of a kind, exactly."""
    total = 0.0
    for kind in np.unique(kinds):
        own = kinds == kind
        for label, count in zip(*np.unique(column[own & (column != "")], return_counts=True), strict=True):
            asked = np.full(int(own.sum()), label)
            total += count * metrics.class_reciprocal_rank(queries[own], gallery, asked, column)
    return float(total / np.count_nonzero(column != ""))


def chance(pool: int, classes: Classes) -> dict[str, Any]:
    """Compute the expectation of every measure for a random order, where there is one, and the pool.

    Parameters
    ----------
    pool : int
        Items that are ranked.
    classes : Classes

    Returns
    -------
    dict of str to float
        ``oracle`` is another: what an order scores that puts the query's kind first.
    """
    values: dict[str, Any] = {"pool": pool, "mrr": metrics.chance_reciprocal_rank(pool)}
    if classes.labels is not None:
        values["map"] = metrics.chance_map(classes.labels, classes.labels)
    for name, column in classes.categories.items():
        if (column != "").any():
            values[f"class_mrr_{name}"] = metrics.chance_class_reciprocal_rank(column[column != ""], column)
    if classes.kinds is not None:
        values["oracle"] = _oracle(classes)
    for k in CUTOFFS:
        values[f"recall_at_{k}"] = metrics.chance_recall(k, pool)
    values["median_rank"] = values["mean_rank"] = metrics.chance_rank(pool)
    return values


def _oracle(classes: Classes) -> dict[str, float]:
    kinds = classes.kinds
    assert kinds is not None
    values = _by_kind(metrics.kind_oracle(kinds, ks=CUTOFFS))
    for name, column in classes.categories.items():
        # An item's own kind comes first, and it is there itself.
        pools = [(column[kinds == kind], column[(kinds == kind) & (column != "")]) for kind in np.unique(kinds)]
        asked = [(len(own), metrics.chance_class_reciprocal_rank(own, pool)) for pool, own in pools if len(own)]
        if asked:
            values[f"class_mrr_{name}"] = sum(n * level for n, level in asked) / sum(n for n, _ in asked)
    return values


def summary(scores: Sequence[dict[str, float]], chances: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average each measure over parts and seeds, with its deviation (0 for a single one), pool and chance."""
    found: dict[str, Any] = {}
    # A category may be unknown for a whole part.
    for name in (name for name in scores[0] if all(name in score for score in scores)):
        values = np.array([score[name] for score in scores])
        found[name] = float(values.mean())
        found[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    found["pool"] = round(float(np.mean([each["pool"] for each in chances])))
    if "relevant" in chances[0]:
        found["queries"] = round(float(np.mean([each["queries"] for each in chances])))
        found["relevant"] = round(float(np.mean([each["relevant"] for each in chances])), 2)
    known = [name for name in scores[0] if name in found and all(name in each for each in chances)]
    found["chance"] = {name: float(np.mean([each[name] for each in chances])) for name in known}
    if "oracle" in chances[0]:
        names = [name for name in found if all(name in each["oracle"] for each in chances)]
        found["oracle"] = {name: float(np.mean([each["oracle"][name] for each in chances])) for name in names}
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
