"""Chance: embeddings that know nothing of the items."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from unisono.models.base import Aligner, Count, Labels, Lengths, Views


class Random(Aligner):
    r"""Random unit vectors, the chance row of every table.

    Row i of view v is :math:`g / \lVert g \rVert`, with g drawn from a standard normal distribution by (seed,
    v, i); what is in the row does not matter. The expectations are exact: R@k is k/N, the median and the mean
    rank are (N+1)/2, and `unisono.metrics.chance_map` has the mean average precision.

    Parameters
    ----------
    n_components : int
        Width of the embeddings.
    """

    trained = False

    n_components: Count = 128

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        pass

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        generator = np.random.default_rng([self.seed, zlib.crc32(view.encode())])
        vectors = generator.standard_normal((len(array), self.n_components))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


MODEL = Random
