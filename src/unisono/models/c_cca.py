"""Cluster-CCA: canonical correlation over all pairs of items of one class, in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from unisono.models.base import Labels, Lengths, Views
from unisono.models.parts.clusters import ClusterAligner
from unisono.models.parts.linear import LinearAligner
from unisono.models.parts.tuning import RIDGES


class CCCA(LinearAligner, ClusterAligner):
    r"""Correlates every item of one view with the items of its class in the other view.

    .. math:: \Sigma_{11} = \frac1L \sum_c \sum_i |Y_c|\, x_i x_i^T, \quad
              \Sigma_{12} = \frac1L \sum_c \sum_i \sum_j x_i y_j^T, \quad L = \sum_c |X_c| |Y_c|

    (Eq. 5.5) with both views centred by their mean over the pairs: this is `cca` on the list of all pairs of
    one class. The list is never made. With n_c items in class c and the class sums
    :math:`s_x^c = \sum_i x_i`, :math:`\Sigma_{12} = \frac1L \sum_c s_x^c (s_y^c)^T`, and an item has the
    weight n_c/L in :math:`\Sigma_{11}`, :math:`\Sigma_{22}`. Work is linear in n, as for `cca`; ridge, whitening
    and signs are those of `cca`. A class of one item counts as one pair.

    With C classes, at most C-1 components carry class covariance; more give a warning. Their `correlations_` are 0, and
    so are they with the default `scale`. With ``scale="none"`` they are those that correlate the items' own pairs most
    among what is uncorrelated with the first ones: the limit of ever smaller `beta`, so that their order does not
    depend on rounding.

    References
    ----------
    Rasiwasia, Mahajan, Mahadevan, Aggarwal, "Cluster canonical correlation analysis", AISTATS 2014; the
    dissertation's Eq. 5.5.
    """

    grid: ClassVar = {"ridge": RIDGES, "scale": ("correlation", "none"), "n_components": (10, 5)}

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        self.arrays_ = self._linear(views, labels)


MODEL = CCCA
