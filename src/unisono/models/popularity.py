"""Popularity: the same order for every query, by what each item of the gallery has itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unisono.models.base import Aligner, Items, Labels, Lengths, Views


class Popularity(Aligner):
    r"""Ranks the gallery by its items' own values, whatever the query is; learns nothing.

    .. math:: s(q, g) = \sum_t g_t

    Given the number of words of a lyric it puts long lyrics first, given how often a picture's tags occur in lyrics it
    puts commonly tagged pictures first: what a method must beat before it can be said to look at its query.
    `transform` gives each row's sum, which no cosine ranks by; `score` does.
    """

    n_views = 2
    trained = False

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        pass

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return array.sum(axis=1, dtype=np.float64, keepdims=True)

    def _score(self, queries: Items, gallery: Items) -> np.ndarray:
        values = np.ascontiguousarray(gallery.array).sum(axis=1, dtype=np.float64)
        return np.broadcast_to(values, (len(queries.array), len(values)))


MODEL = Popularity
