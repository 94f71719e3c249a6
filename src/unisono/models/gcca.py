"""Generalised canonical correlation analysis (max-var) of any number of views, in closed form."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy import linalg

from unisono.models.base import Aligner, check_components
from unisono.models.parts.linear import centre, cholesky, fix_signs


class GCCA(Aligner):
    r"""Finds one representation G that every view can predict best, and each view's prediction of it.

    .. math:: \max_G \operatorname{tr}\, G^T \Big(\sum_v X_v (X_v^T X_v + r_v I)^{-1} X_v^T\Big) G,
              \quad G^T G = I, \quad W_v = (X_v^T X_v + r_v I)^{-1} X_v^T G

    with :math:`X_v` (n x d_v) the centred views. The n x n matrix is never formed: with
    :math:`X_v^T X_v + r_v I = L_v L_v^T`, the blocks :math:`R_{vw} = L_v^{-1} X_v^T X_w L_w^{-T}` form a
    matrix R of all widths together, whose eigenvectors e (eigenvalue :math:`\lambda`) give
    :math:`G = \sum_v X_v L_v^{-T} e_v / \sqrt\lambda` and :math:`W_v = \sqrt\lambda\, L_v^{-T} e_v`. Memory
    is that of the views; the work is linear in n. All in float64.

    Parameters
    ----------
    n_components : int
        Width of G, at most min(d_1, d_2, ..., n-1).
    ridge : float
        :math:`r_v`, relative to the mean of the diagonal of :math:`X_v^T X_v`.
    seed : int
        Not used: nothing is random.

    References
    ----------
    Kettenring, "Canonical analysis of several sets of variables", Biometrika 58, 1971 (MAXVAR);
    the dissertation's section 6.3 names the method.
    """

    def __init__(
        self,
        *,
        n_components: Annotated[int, Field(ge=1)] = 10,
        ridge: Annotated[float, Field(ge=0)] = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.n_components = n_components
        self.ridge = ridge

    def _fit(
        self,
        views: dict[str, np.ndarray],
        labels: np.ndarray | None,
        lengths: dict[str, np.ndarray],
        checkpoint: Path | None,
    ) -> None:
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

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        projected = np.subtract(array, self.arrays_[f"{view}.mean"], dtype=np.float64)
        projected = projected @ self.arrays_[f"{view}.weights"]
        return projected


MODEL = GCCA
