"""Generalised canonical correlation analysis (max-var) of any number of views, in closed form."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import linalg

from unisono.models.base import Labels, Lengths, Views, Weight, check_components
from unisono.models.parts.linear import LinearAligner, centre, cholesky, fix_signs


class GCCA(LinearAligner):
    r"""Finds one representation G that every view can predict best, and each view's prediction of it.

    .. math:: \max_G \operatorname{tr}\, G^T \Big(\sum_v X_v (X_v^T X_v + r_v I)^{-1} X_v^T\Big) G,
              \quad G^T G = I, \quad W_v = (X_v^T X_v + r_v I)^{-1} X_v^T G

    with :math:`X_v` (n x d_v) the centred views and k columns in G. The n x n matrix is never formed: with
    :math:`X_v^T X_v + r_v I = L_v L_v^T`, the blocks :math:`R_{vw} = L_v^{-1} X_v^T X_w L_w^{-T}` form a
    matrix R of all widths together, whose eigenvectors e (eigenvalue :math:`\lambda`) give
    :math:`G = \sum_v X_v L_v^{-T} e_v / \sqrt\lambda` and :math:`W_v = \sqrt\lambda\, L_v^{-T} e_v`. Memory
    is that of the views; the work is linear in n. All in float64.

    Parameters
    ----------
    ridge : float
        :math:`r_v`, relative to the mean of the diagonal of :math:`X_v^T X_v`.

    References
    ----------
    Kettenring, "Canonical analysis of several sets of variables", Biometrika 58, 1971 (MAXVAR);
    the dissertation's section 6.3 names the method.
    """

    ridge: Weight = 0.1

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        check_components(self.name, self.n_components, views)
        names = list(views)
        centred = {view: centre(array) for view, array in views.items()}
        X = {view: pair[0] for view, pair in centred.items()}
        ends = np.cumsum([0, *(X[view].shape[1] for view in names)])
        rows = {view: slice(*pair) for view, pair in zip(names, pairwise(ends), strict=True)}

        R = np.empty((ends[-1], ends[-1]))
        L: dict[str, np.ndarray] = {}
        for view in names:
            gram = X[view].T @ X[view]
            L[view] = cholesky(gram, self.ridge, where=f"gcca, view {view!r}")
            R[rows[view], rows[view]] = gram
        for position, view in enumerate(names):
            for other in names[position + 1 :]:
                R[rows[view], rows[other]] = X[view].T @ X[other]
                R[rows[other], rows[view]] = R[rows[view], rows[other]].T
        for view in names:
            R[rows[view]] = linalg.solve_triangular(L[view], R[rows[view]], lower=True, check_finite=False)
        for view in names:
            R[:, rows[view]] = linalg.solve_triangular(L[view], R[:, rows[view]].T, lower=True, check_finite=False).T

        last = len(R) - 1
        values, vectors = linalg.eigh(R, subset_by_index=(last - self.n_components + 1, last), check_finite=False)
        values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
        weights = [
            np.sqrt(values) * linalg.solve_triangular(L[view], vectors[rows[view]], lower=True, trans="T")
            for view in names
        ]
        fix_signs(*weights)
        self.arrays_ = {"eigenvalues": values}
        for view, matrix in zip(names, weights, strict=True):
            self.arrays_[f"{view}.mean"] = centred[view][1]
            self.arrays_[f"{view}.weights"] = matrix


MODEL = GCCA
