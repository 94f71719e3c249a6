"""Generalised canonical correlation analysis (max-var) of any number of views, in closed form."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from scipy import linalg

from unisono.models.base import Labels, Lengths, Views, Weight
from unisono.models.parts.linear import LinearAligner, centre, cholesky, fix_signs, project
from unisono.models.parts.tuning import FALLBACK, RIDGES, Embed, choose
from unisono.models.parts.views import check_components


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
    ridge : float or str
        :math:`r_v`, relative to the mean of the diagonal of :math:`X_v^T X_v`, or auto: what ranks held-out own pairs
        best, by cross-validation on the training rows.

    References
    ----------
    Kettenring, "Canonical analysis of several sets of variables", Biometrika 58, 1971 (MAXVAR);
    the dissertation's section 6.3 names the method.
    """

    correlates = True
    grid: ClassVar = {"ridge": RIDGES, "n_components": (10, 5, 30)}

    ridge: Weight | Literal["auto"] = "auto"

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        check_components(self.name, self.n_components, views)
        ridge = self._chosen(views) if self.ridge == "auto" else self.ridge
        [(_, self.arrays_)] = self._solutions(views, [ridge], self.n_components)
        self.arrays_["ridge"] = np.array([ridge])

    def _chosen(self, views: Views) -> float:
        widths = {view: array.shape[1] for view, array in views.items()}

        def candidates(rows: Views, classes: Labels) -> Iterator[tuple[float, Embed]]:
            units = {view: array.shape[1] / widths[view] for view, array in rows.items()}
            k = min(self.n_components, len(next(iter(rows.values()))) - 1)
            for ridge, arrays in self._solutions(rows, RIDGES, k, units=units):
                yield ridge, functools.partial(project, arrays)

        return choose(views, None, candidates, fallback=FALLBACK)

    def _solutions(
        self, views: Views, ridges: Sequence[float], k: int, *, units: Mapping[str, float] | None = None
    ) -> Iterator[tuple[float, dict[str, np.ndarray]]]:
        """Solve for several ridges from the same products, each view's in its own unit."""
        names = list(views)
        centred = {view: centre(array) for view, array in views.items()}
        X = {view: pair[0] for view, pair in centred.items()}
        ends = np.cumsum([0, *(X[view].shape[1] for view in names)])
        rows = {view: slice(*pair) for view, pair in zip(names, pairwise(ends), strict=True)}
        products = np.empty((ends[-1], ends[-1]))
        for position, view in enumerate(names):
            for other in names[position:]:
                products[rows[view], rows[other]] = X[view].T @ X[other]
                products[rows[other], rows[view]] = products[rows[view], rows[other]].T
        for ridge in ridges:
            R = products.copy()
            L: dict[str, np.ndarray] = {}
            for view in names:
                own = ridge * units[view] if units else ridge
                L[view] = cholesky(R[rows[view], rows[view]], own, where=f"gcca, view {view!r}")
            for view in names:
                R[rows[view]] = linalg.solve_triangular(L[view], R[rows[view]], lower=True, check_finite=False)
            for view in names:
                whitened = linalg.solve_triangular(L[view], R[:, rows[view]].T, lower=True, check_finite=False)
                R[:, rows[view]] = whitened.T
            last = len(R) - 1
            values, vectors = linalg.eigh(R, subset_by_index=(last - k + 1, last), check_finite=False)
            values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
            weights = [
                np.sqrt(values) * linalg.solve_triangular(L[view], vectors[rows[view]], lower=True, trans="T")
                for view in names
            ]
            fix_signs(*weights)
            arrays = {"eigenvalues": values}
            for view, matrix in zip(names, weights, strict=True):
                arrays |= {f"{view}.mean": centred[view][1], f"{view}.weights": matrix}
            yield ridge, arrays


MODEL = GCCA
