"""Mood labels by k-means on emotion features, from given initial centres (D 4.2.3)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from unisono.errors import DataError

#: Annotated audios per mood.
SEEDS_PER_MOOD = 3


def annotated_seeds(pairs: Mapping[str, str], ids: Sequence[str], *, clusters: int, where: str) -> dict[str, list[int]]:
    """Turn a table of annotated audios into rows.

    Parameters
    ----------
    pairs : mapping of str to str
        Mood of each annotated id.
    ids : sequence of str
        Of all videos.
    clusters : int
        Moods expected.
    where : str
        The table, for messages.

    Returns
    -------
    dict of str to list of int
        Rows of the annotated audios of each mood, moods in order of their names.

    Raises
    ------
    DataError
        An id is not among the videos, the number of moods is not `clusters`, or a mood has not three audios.
    """
    row_of = {identifier: row for row, identifier in enumerate(ids)}
    seeds: dict[str, list[int]] = {mood: [] for mood in sorted(set(pairs.values()))}
    for identifier, mood in pairs.items():
        if identifier not in row_of:
            raise DataError(f"{where}: id {identifier!r} is not among the {len(ids)} videos")
        seeds[mood].append(row_of[identifier])
    if len(seeds) != clusters:
        raise DataError(f"{where}: names {len(seeds)} moods, but mv10k.moods.clusters is {clusters}")
    for mood, rows in seeds.items():
        if len(rows) != SEEDS_PER_MOOD:
            raise DataError(f"{where}: mood {mood!r} has {len(rows)} audios, expected {SEEDS_PER_MOOD}")
    return seeds


def model_seeds(probabilities: np.ndarray, moods: Sequence[str], *, clusters: int) -> dict[str, list[int]]:
    """Choose the audios that the emotion model takes for each mood most surely, in place of annotated ones.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n, n_moods)]
    moods : sequence of str
        Names of the columns.
    clusters : int
        How many moods to use: those with the largest sum of probabilities.

    Returns
    -------
    dict of str to list of int
        Three rows per mood, no row twice; moods in order of their names.

    Raises
    ------
    DataError
        The model knows fewer moods than `clusters`, or there are too few videos.
    """
    if len(moods) < clusters:
        raise DataError(f"the emotion model knows {len(moods)} moods, but mv10k.moods.clusters is {clusters}")
    if len(probabilities) < SEEDS_PER_MOOD * clusters:
        raise DataError(f"{len(probabilities)} videos are too few for {clusters} moods of {SEEDS_PER_MOOD} audios each")
    used = np.argsort(-probabilities.sum(0), kind="stable")[:clusters]
    taken: set[int] = set()
    seeds = {}
    for column in sorted(used, key=lambda column: moods[column]):
        order = np.argsort(-probabilities[:, column], kind="stable").tolist()
        seeds[moods[column]] = [row for row in order if row not in taken][:SEEDS_PER_MOOD]
        taken.update(seeds[moods[column]])
    return seeds


def cluster(
    features: np.ndarray, seeds: Mapping[str, Sequence[int]], *, max_iterations: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Run k-means from the means of the seeds.

    Parameters
    ----------
    features : np.ndarray [shape=(n, d)]
    seeds : mapping of str to sequence of int
        Rows whose mean is a cluster's initial centre.
    max_iterations : int

    Returns
    -------
    clusters : np.ndarray [shape=(n,), dtype=int]
        In the order of `seeds`.
    centres : np.ndarray [shape=(k, d)]
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    data = features.astype(np.float64)
    centres = np.stack([data[list(rows)].mean(0) for rows in seeds.values()])
    with threadpool_limits(1):  # sums in one order
        fitted = KMeans(len(seeds), init=centres, n_init=1, max_iter=max_iterations).fit(data)
    return fitted.labels_.astype(int), fitted.cluster_centers_


def mend_small(
    clusters: np.ndarray,
    features: np.ndarray,
    centres: np.ndarray,
    *,
    smallest: int,
    how: Literal["balance", "merge"],
    names: Sequence[str],
) -> np.ndarray:
    """See to it that every cluster has as many videos as there are folds, or none.

    Parameters
    ----------
    clusters : np.ndarray [shape=(n,), dtype=int]
    features : np.ndarray [shape=(n, d)]
    centres : np.ndarray [shape=(k, d)]
    smallest : int
        Videos that a cluster needs.
    how : {"balance", "merge"}
        ``balance``: a small cluster takes the videos nearest to its centre from clusters that can spare them.
        ``merge``: its videos go to the nearest other cluster, and it is gone.
    names : sequence of str
        Of the clusters, for the warning.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int]

    Raises
    ------
    DataError
        There are fewer videos than the clusters need, or merging leaves one cluster.

    Warns
    -----
    UserWarning
        Names each cluster that was small, and what was done.
    """
    clusters = clusters.copy()
    if how == "balance" and len(clusters) < smallest * len(centres):
        raise DataError(f"{len(clusters)} videos are too few for {len(centres)} moods of {smallest} (mv10k.folds.n)")
    distances = np.linalg.norm(features[:, None].astype(np.float64) - centres[None], axis=2)
    sizes = np.bincount(clusters, minlength=len(centres))
    small = [int(c) for c in np.argsort(sizes, kind="stable") if sizes[c] < smallest]
    for c in small:
        before = int((clusters == c).sum())
        if how == "merge":
            distances[:, c] = np.inf
            rows = np.flatnonzero(clusters == c)
            clusters[rows] = distances[rows].argmin(1)
            done = "its videos went to the nearest other clusters"
        else:
            for row in np.argsort(distances[:, c], kind="stable"):
                sizes = np.bincount(clusters, minlength=len(centres))
                if sizes[c] >= smallest:
                    break
                if clusters[row] != c and sizes[clusters[row]] > smallest:
                    clusters[row] = c
            done = f"it took the {smallest - before} nearest videos of larger ones"
        warnings.warn(
            f"mood {names[c]!r}: a cluster of {before} videos, fewer than {smallest} folds; {done}", stacklevel=2
        )
    if len(np.unique(clusters)) < 2:
        raise DataError("mv10k: merging small clusters left a single mood; set mv10k.moods.small_cluster to balance")
    return clusters
