"""Canonical correlation analysis of two views, in closed form or as scikit-learn reads it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from unisono.errors import ConfigError
from unisono.models.base import Labels, Lengths, Views
from unisono.models.parts.closed import ClosedAligner, Solver
from unisono.models.parts.linear import (
    Covariances,
    LinearAligner,
    Map,
    canonical,
    centre,
    covariances,
    fix_signs,
    unbiased,
)
from unisono.models.parts.tuning import RIDGES
from unisono.models.parts.views import check_components


class CCA(LinearAligner, ClosedAligner):
    r"""Projects two views onto the directions in which they correlate most.

    .. math:: L_1^{-1} \Sigma_{12} L_2^{-T} = U S V^T, \quad A = L_1^{-T} U_k, \quad B = L_2^{-T} V_k

    where :math:`\Sigma_{12} = X^T Y / (n-1)` is the cross-covariance of the centred views,
    :math:`\Sigma_{vv} + r\,\overline{\operatorname{diag}\Sigma_{vv}}\,I = L_v L_v^T` their regularised
    covariances (Cholesky), S the canonical correlations (of the regularised problem) and A, B the weights of
    the first and the second view. Any other square root of the covariances gives the same A and B. All in
    float64.

    With ``solver="nipals"`` the same is sought without a ridge, on standardised columns and by power iteration
    with deflation: ``sklearn.cross_decomposition.CCA``, which the author's published code calls "CCA".

    Parameters
    ----------
    ridge : float or str
        r, relative to the mean of the covariance's diagonal, or auto: what ranks held-out own pairs best, by
        cross-validation on the training rows. Not used by nipals.
    solver : str
        svd (the formula above) or nipals, whose `correlations_` are those of each pair of training scores.

    References
    ----------
    Hotelling, "Relations between two sets of variates", Biometrika 28, 1936; the dissertation's section
    5.3.3.
    """

    grid: ClassVar = {"ridge": RIDGES, "scale": ("correlation", "none"), "n_components": (10, 5, 30)}

    solver: Literal["svd", "nipals"] = "svd"

    def _check_params(self) -> None:
        self.standardises = self.solver == "nipals"

    def _problem(self, views: Views, labels: Labels, maps: tuple[Map, Map]) -> tuple[Covariances, Solver]:
        x, y = views.values()
        found = unbiased(covariances((x, y), maps=maps), len(x))
        return found, lambda L1, L2, k: canonical(L1, L2, found.own, k)

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        self.arrays_ = self._nipals(views) if self.solver == "nipals" else self._linear(views, None)

    def _nipals(self, views: Views) -> dict[str, np.ndarray]:
        from sklearn.cross_decomposition import CCA as Peer

        check_components(self.name, self.n_components, views)
        columns, means, deviations = [], [], []
        for view, array in views.items():
            centred, mean = centre(array)
            deviation = centred.std(axis=0, ddof=1)
            if not deviation.any():
                raise ConfigError(f"cca, view {view!r}: every column is constant; remove the view or repair it")
            deviation[deviation == 0] = 1
            columns.append(centred / deviation)
            means.append(mean)
            deviations.append(deviation)
        peer = Peer(n_components=self.n_components, scale=False).fit(*columns)
        A, B = peer.x_rotations_, peer.y_rotations_
        fix_signs(A, B)
        X, Y = columns[0] @ A, columns[1] @ B
        # Scores of a component beyond the rank are zero.
        lengths = np.linalg.norm(X, axis=0) * np.linalg.norm(Y, axis=0)
        S = np.sum(X * Y, axis=0) / np.where(lengths, lengths, 1)
        axes = S if self.scale == "correlation" else 1
        arrays = {"correlations": S}
        for view, mean, deviation, weights in zip(views, means, deviations, (A, B), strict=True):
            # Dividing by the deviations becomes part of the weights.
            arrays |= {f"{view}.mean": mean, f"{view}.weights": weights / deviation[:, None] * axes}
        return arrays


MODEL = CCA
