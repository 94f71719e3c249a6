"""Canonical correlation analysis of two views, in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy import linalg

from unisono.models._base import Aligner, check_components
from unisono.models._linear import centre, cholesky, fix_signs


class CCA(Aligner):
    r"""Projects two views onto the directions in which they correlate most.

    .. math:: L_1^{-1} \Sigma_{12} L_2^{-T} = U S V^T, \quad A = L_1^{-T} U_k, \quad B = L_2^{-T} V_k

    where :math:`\Sigma_{12} = X^T Y / (n-1)` is the cross-covariance of the centred views,
    :math:`\Sigma_{vv} + r\,\overline{\operatorname{diag}\Sigma_{vv}}\,I = L_v L_v^T` their regularised
    covariances (Cholesky), S the canonical correlations (of the regularised problem) and A, B the weights of
    the first and the second view. Any other square root of the covariances gives the same A and B. All in
    float64.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most min(d_x, d_y, n-1).
    ridge : float
        r, relative to the mean of the covariance's diagonal.
    seed : int
        Not used: nothing is random.

    Attributes
    ----------
    correlations_ : np.ndarray [shape=(k,), dtype=float64]
        S.

    References
    ----------
    Hotelling, "Relations between two sets of variates", Biometrika 28, 1936; the dissertation's section
    5.3.3.
    """

    n_views = 2

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
        check_components(self.name, self.n_components, views)
        (first, x), (second, y) = views.items()
        X, mean_x = centre(x)
        Y, mean_y = centre(y)
        factor = 1 / (len(X) - 1)
        L1 = cholesky((X.T @ X) * factor, self.ridge, where=f"cca, view {first!r}")
        L2 = cholesky((Y.T @ Y) * factor, self.ridge, where=f"cca, view {second!r}")
        T = linalg.solve_triangular(L1, (X.T @ Y) * factor, lower=True, check_finite=False)
        T = linalg.solve_triangular(L2, T.T, lower=True, check_finite=False).T
        U, S, Vt = linalg.svd(T, full_matrices=False, check_finite=False)
        k = self.n_components
        A = linalg.solve_triangular(L1, U[:, :k], lower=True, trans="T", check_finite=False)
        B = linalg.solve_triangular(L2, Vt[:k].T, lower=True, trans="T", check_finite=False)
        fix_signs(A, B)
        self.arrays_ = {
            "correlations": S[:k],
            f"{first}.mean": mean_x,
            f"{second}.mean": mean_y,
            f"{first}.weights": A,
            f"{second}.weights": B,
        }

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        centred = np.subtract(array, self.arrays_[f"{view}.mean"], dtype=np.float64)
        projected: np.ndarray = centred @ self.arrays_[f"{view}.weights"]
        return projected


MODEL = CCA
