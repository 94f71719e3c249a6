"""How far two methods on items with classes are apart, and how sure that is.

**Conventions.** Mean average precision, mean of both directions, of the first seed, whose embeddings are kept. Where
folds are dealt several times the difference is the mean over deals. Its interval allows for other items, each a query
and a part of the gallery (`unisono.evaluation.significance`), and for other folds (Student's t over the differences of
the folds): in every deal the wider of the two counts, and bounds are averaged over deals, as if these told nothing new
about the same items. That is wide rather than narrow.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unisono.datasets.columns import is_vectors, to_labels, to_view
from unisono.errors import DataError
from unisono.evaluation import significance
from unisono.evaluation.comparison import query_scores
from unisono.io import parquet
from unisono.report import orderings
from unisono.store.results import Run, directions


class Paired(NamedTuple):
    """A difference in MAP.

    Attributes
    ----------
    mean, low, high : float
        Fractions; the bounds are those of the 95 % interval.
    """

    mean: float
    low: float
    high: float


class _Scores(NamedTuple):
    """What a run's queries score: by row, and what they owe to which items, in every fold."""

    ids: np.ndarray
    folds: np.ndarray
    values: np.ndarray
    influences: np.ndarray


def difference(run: Run, other: Run) -> Paired:
    """Compare two runs, query by query, in the folds that both have.

    Parameters
    ----------
    run, other : unisono.store.results.Run
        On the same data set, whose items have classes; of an experiment with variants the first is compared.

    Returns
    -------
    Paired

    Raises
    ------
    DataError
        Embeddings are missing or damaged, or were made of other items.
    """
    ours, theirs = (_scores(each.folder, tuple(_views(each))) for each in (run, other))
    n_folds = len(np.unique(ours.folds)) // run.experiment.deals
    both = np.intersect1d(np.unique(ours.folds), np.unique(theirs.folds))
    found = []
    for first in range(0, len(both), n_folds):
        deal = both[first : first + n_folds]
        mine, his = (np.isin(each.folds, deal) for each in (ours, theirs))
        if not np.array_equal(ours.ids[mine], theirs.ids[his]) or not np.array_equal(
            ours.folds[mine], theirs.folds[his]
        ):
            raise DataError(f"{run.key}, {other.key}: were tested on other items; run both again")
        apart = ours.values[mine] - theirs.values[his]
        owed = ours.influences[deal] - theirs.influences[deal]
        of = significance.groups(ours.folds[mine])
        mean, low, high = significance.interval(apart, owed[:, : of.sizes.shape[1], : of.sizes.shape[1]], of)
        by_fold = [float(apart[ours.folds[mine] == fold].mean()) for fold in deal]
        low_folds, high_folds = orderings.interval(by_fold) if len(by_fold) > 1 else (low, high)
        found.append((mean, min(low, low_folds), max(high, high_folds)))
    return Paired(*(float(value) for value in np.mean(found, axis=0)))


def _views(run: Run) -> list[str]:
    return list(dict.fromkeys(view for pair in directions(run.result) for view in pair))


@functools.lru_cache(maxsize=64)
def _scores(folder: Path, views: tuple[str, ...]) -> _Scores:
    """Score the queries of a run, in the order of folds and ids."""
    path = folder / "embeddings.parquet"
    table = parquet.read(path)
    for name in ("id", "fold", "label"):
        if name not in table.column_names:
            raise DataError(f"{path}: no column {name!r}; run experiment {folder.name!r} again")
    embeddings: dict[str, np.ndarray] = {
        name: to_labels(table.column(name), f"{path}: {name}") for name in ("id", "fold", "label")
    }
    order = np.lexsort((embeddings["id"], embeddings["fold"]))
    for name in table.column_names:
        if is_vectors(table.schema.field(name).type):
            embeddings[name] = to_view(table.column(name), where=f"{path}: {name}")[0]
    embeddings = {name: array[order] for name, array in embeddings.items()}
    scores = list(query_scores(embeddings, views).values())
    return _Scores(
        embeddings["id"],
        embeddings["fold"].astype(np.int64),
        np.mean([each.values for each in scores], axis=0),
        np.mean([each.influences for each in scores], axis=0),
    )
