"""Binary codes: what the hash methods share.

**Conventions.** A network's outputs lie in (-1, 1); a code has their signs. The cosine of two codes of k bits is
1 - 2 d / k with d the Hamming distance, so that ranking by cosine is ranking by Hamming distance.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping

import numpy as np

from unisono.models.base import Aligner, Count

#: Training rows among which ties are counted.
SAMPLE = 1000


def signs(outputs: np.ndarray) -> np.ndarray:
    """Turn outputs into codes of -1 and 1; zero becomes 1.

    Parameters
    ----------
    outputs : np.ndarray [shape=(n, k), dtype=any real]

    Returns
    -------
    np.ndarray [shape=(n, k), dtype=float32]
    """
    return np.where(outputs < 0, np.float32(-1), np.float32(1))


def tied_share(queries: np.ndarray, gallery: np.ndarray) -> float:
    """Share of the pairs of gallery items that are equally far from a query, mean over queries.

    Parameters
    ----------
    queries, gallery : np.ndarray [shape=(n, k), dtype=float32]
        Codes; at least two in the gallery.

    Returns
    -------
    float
        0 where no scores tie, 1 where all do.
    """
    k, n = gallery.shape[1], len(gallery)
    agreeing = ((queries @ gallery.T + k) / 2).astype(np.int64)
    counts = np.apply_along_axis(np.bincount, 1, agreeing, minlength=k + 1)
    return float((counts * (counts - 1)).sum(axis=1).mean() / (n * (n - 1)))


class HashAligner(Aligner):
    """A method whose outputs are relaxed binary codes.

    Parameters
    ----------
    n_components : int
        Width of the shared space, in bits for binary codes.
    binary : bool
        Whether embeddings are binary codes, ranked by Hamming distance, in place of the real-valued outputs.
    """

    n_views = 2
    trains_networks = True

    n_components: Count = 10
    binary: bool = False

    @property
    def note_(self) -> str:
        """How many scores of binary codes tie, to the nearest tenth; empty for real-valued outputs."""
        if not self.binary:
            return ""
        tied = round(100 * float(self.arrays_["tied"][0]), -1)
        return (
            f"Binary codes of {self.n_components} bits have {self.n_components + 1} distances: about {tied:.0f} % of "
            "the pairs of scores tie."
        )

    @abc.abstractmethod
    def _outputs(self, view: str, array: np.ndarray) -> np.ndarray:
        """Return the outputs for checked rows, between -1 and 1."""

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        outputs = self._outputs(view, array)
        return signs(outputs) if self.binary else outputs

    def _count_ties(self, views: Mapping[str, np.ndarray]) -> None:
        """Note the share of tied scores among training rows, as the last step of a fit."""
        if not self.binary:
            return
        rows = np.linspace(0, len(next(iter(views.values()))) - 1, SAMPLE).astype(int)
        one, other = (self._transform(view, array[np.unique(rows)], None) for view, array in views.items())
        self.arrays_["tied"] = np.array([(tied_share(one, other) + tied_share(other, one)) / 2])
