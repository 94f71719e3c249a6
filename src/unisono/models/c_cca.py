"""Cluster-CCA: canonical correlation over all pairs of items of one class, in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from unisono.models.base import Aligner
from unisono.models.parts.clusters import cluster_cca, project


class CCCA(Aligner):
    r"""Correlates every item of one view with the items of its class in the other view.

    .. math:: \Sigma_{11} = \frac1L \sum_c \sum_i |Y_c|\, x_i x_i^T, \quad
              \Sigma_{12} = \frac1L \sum_c \sum_i \sum_j x_i y_j^T, \quad L = \sum_c |X_c| |Y_c|

    (Eq. 5.5) with both views centred by their mean over the pairs: this is `cca` on the list of all pairs of
    one class. The list is never made. With n_c items in class c and the class sums
    :math:`s_x^c = \sum_i x_i`, :math:`\Sigma_{12} = \frac1L \sum_c s_x^c (s_y^c)^T`, and an item has the
    weight n_c/L in :math:`\Sigma_{11}`, :math:`\Sigma_{22}`. Work is linear in n, as for `cca`; ridge, whitening
    and signs are those of `cca`. A class of one item counts as one pair.

    With C classes, at most C-1 components carry class covariance. More are kept, with a warning: those that
    correlate the items' own pairs most among what is uncorrelated with the first ones. That is the limit of
    ever smaller `beta`, so that their order does not depend on rounding; their `correlations_` are 0.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most min(d_x, d_y, n-1).
    ridge : float
        Relative to the mean of the covariance's diagonal.
    pairs : str
        Pairs that stand for a class. all: every item with every item (Eq. 5.5). half: the items of a class
        are shuffled and put on a circle, and each first-view item is paired with its own partner and those
        that follow, half of the class (rounded up) in all. one_to_one: own pairs only, which is `cca`.
    beta : float
        Weight of own pairs beside those of the class, from 0 (Eq. 5.5) to 1 (`cca`):
        :math:`\Sigma_{12} = \beta\,\Sigma_{own} + (1-\beta)\,\Sigma_{class}`, all covariances alike. The
        author's code has .2.
    scale : str
        none, or correlation: each axis is multiplied by its canonical correlation, so that axes without any
        do not blur the ranking.
    seed : int
        Of the order on the circle (`pairs`: half).

    Attributes
    ----------
    correlations_ : np.ndarray [shape=(k,), dtype=float64]
        Canonical correlations over the pairs.

    References
    ----------
    Rasiwasia, Mahajan, Mahadevan, Aggarwal, "Cluster canonical correlation analysis", AISTATS 2014; the
    dissertation's Eq. 5.5.
    """

    n_views = 2
    supervised = True

    def __init__(
        self,
        *,
        n_components: Annotated[int, Field(ge=1)] = 10,
        ridge: Annotated[float, Field(ge=0)] = 1.0,
        pairs: Literal["one_to_one", "half", "all"] = "all",
        beta: Annotated[float, Field(ge=0, le=1)] = 0.0,
        scale: Literal["none", "correlation"] = "none",
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.n_components = n_components
        self.ridge = ridge
        self.pairs = pairs
        self.beta = beta
        self.scale = scale

    @property
    def correlations_(self) -> np.ndarray:
        """Canonical correlations of the kept components, from the largest."""
        return self.arrays_["correlations"]

    def _fit(
        self,
        views: dict[str, np.ndarray],
        labels: np.ndarray | None,
        lengths: dict[str, np.ndarray],
        checkpoint: Path | None,
    ) -> None:
        assert labels is not None
        self.arrays_ = cluster_cca(
            self.name,
            views,
            labels,
            n_components=self.n_components,
            ridge=self.ridge,
            pairs=self.pairs,
            beta=self.beta,
            scale=self.scale,
            seed=self.seed,
        )

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return project(self.arrays_, view, array)


MODEL = CCCA
