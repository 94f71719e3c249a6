"""Cluster-CCA followed by a triplet network: the dissertation's TNN-C-CCA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from unisono.models.base import Labels, Lengths, Views
from unisono.models.parts.clusters import ClusterAligner
from unisono.models.parts.linear import project
from unisono.models.parts.triplet_network import TripletNetwork

#: Where the arrays of cluster-CCA stand among those of the whole.
PREFIX = "c_cca."


class TNNCCCA(TripletNetwork, ClusterAligner):
    r"""Projects two views by cluster-CCA and trains a triplet network (`tnn`) on the projections.

    .. math:: \frac{1}{|T_+|} \sum_{(a, p, n) \in T}
              \big[ d(f(A^T x_a), g(B^T y_p)) - d(f(A^T x_a), g(B^T y_n)) + m \big]_+

    with A and B the weights of `c_cca` (Eq. 5.5) and all else as in `tnn`. Both are fitted on the same rows.
    `n_components` is the width of cluster-CCA's space, less the components that carry no class covariance unless
    `scale` is none. The projections are standardised, and then multiplied by `scale`.

    References
    ----------
    Zeng, Yu, Oyama, "Deep triplet neural networks with cluster-CCA for audio-visual cross-modal retrieval", TOMM
    16(3), 2020; the dissertation's section 5.2, Eq. 5.5 and 5.13.
    """

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"scale": ("none", "correlation"), "ridge": (0.3, 1.0, 3.0)}
    correlates = False
    # The projections, not what is projected.
    standardises = False

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        c_cca = self._linear(views, labels)
        if self.scale == "correlation":
            S = c_cca["correlations"]
            c_cca |= {f"{view}.weights": c_cca[f"{view}.weights"][:, S > 0] for view in views}
        self.arrays_ = {PREFIX + key: array for key, array in c_cca.items()}
        projected = {view: self._project(view, array) for view, array in views.items()}
        super()._fit(projected, labels, lengths, checkpoint)

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return super()._transform(view, self._project(view, array), lengths)

    def _input_scale(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, deviation = super()._input_scale(array)
        if self.scale == "correlation":
            S = self.arrays_[PREFIX + "correlations"]
            deviation = deviation * S[0] / S[S > 0]
        return mean, deviation

    def _project(self, view: str, array: np.ndarray) -> np.ndarray:
        c_cca = {key.removeprefix(PREFIX): a for key, a in self.arrays_.items() if key.startswith(PREFIX)}
        return project(c_cca, view, array).astype(np.float32)


MODEL = TNNCCCA
