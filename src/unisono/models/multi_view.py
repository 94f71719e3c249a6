"""Multi-view learning, a stand-in: partial least squares of two views."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from unisono.errors import ConfigError
from unisono.models.base import Labels, Lengths, Views
from unisono.models.parts.linear import LinearAligner, covariances, fix_signs, leading
from unisono.models.parts.views import check_components


class MultiView(LinearAligner):
    r"""Projects two views onto the directions in which they vary together most. A stand-in.

    The dissertation says of "multi-views" only that it learns one function per view to remove the gap between
    them, and gives no method. This is the simplest such function, the singular vectors of the
    cross-correlation matrix (partial least squares, "PLS-SVD"); unlike `cca` it does not whiten the views.

    .. math:: D_1^{-1} \Sigma_{12} D_2^{-1} = U S V^T, \quad A = D_1^{-1} U_k, \quad B = D_2^{-1} V_k

    with :math:`\Sigma_{12}` the cross-covariance of the centred views and D the standard deviations of their
    columns (1 for a constant column, which so has no effect).

    References
    ----------
    Zhao, Xie, Xu, Sun, "Multi-view learning overview", Information Fusion 38, 2017, as cited in the
    dissertation's section 4.3.2; Wold, "Partial least squares", 1985.
    """

    n_views = 2
    standardises = True
    grid: ClassVar = {"n_components": (10, 5, 30)}

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        check_components(self.name, self.n_components, views)
        x, y = views.values()
        found = covariances((x, y))
        deviations = []
        for view, within in zip(views, found.within, strict=True):
            deviation = np.sqrt(np.maximum(np.diag(within), 0))
            if not deviation.any():
                raise ConfigError(f"multi_view, view {view!r}: every column is constant; remove the view or repair it")
            deviations.append(np.where(deviation, deviation, 1))
        U, S, V = leading(found.own / np.outer(*deviations), self.n_components)
        fix_signs(U, V)
        self.arrays_ = {"covariances": S}
        for view, mean, deviation, vectors in zip(views, found.means, deviations, (U, V), strict=True):
            self.arrays_[f"{view}.mean"] = mean
            self.arrays_[f"{view}.weights"] = vectors / deviation[:, None]


MODEL = MultiView
