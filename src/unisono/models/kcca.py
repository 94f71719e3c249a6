"""Kernel canonical correlation analysis of two views."""

from __future__ import annotations

from typing import ClassVar

from unisono.models.base import Labels, Views
from unisono.models.parts.closed import Solver
from unisono.models.parts.kernel import KernelAligner
from unisono.models.parts.linear import Covariances, Map, canonical, covariances


class KCCA(KernelAligner):
    r"""Finds the functions of two views, in the spaces of Gaussian kernels, that correlate most.

    .. math:: \max_{\alpha, \beta} \alpha^T K_x K_y \beta, \quad
              \alpha^T (K_x^2 + \kappa_x n K_x) \alpha = \beta^T (K_y^2 + \kappa_y n K_y) \beta = n

    with K the centred n x n kernels and :math:`\kappa = r \operatorname{tr} K / n`. This is `cca` with the
    ridge :math:`\kappa` on features :math:`\Phi \Phi^T = K`, and so it is solved. Up to `exact_up_to` training
    rows the features are a Cholesky factor of the kernel matrix: the solution is exact. **Above that it is an
    approximation**: `n_features` landmarks or random Fourier features stand for the kernel; `approximate_`
    says so. Memory is then linear in n_features, and work in n.

    References
    ----------
    Hardoon, Szedmak, Shawe-Taylor, "Canonical correlation analysis: an overview with application to learning
    methods", Neural Computation 16, 2004; Williams and Seeger, "Using the Nystroem method to speed up kernel
    machines", 2001; Rahimi and Recht, "Random features for large-scale kernel machines", 2007; the
    dissertation's sections 4.3.1 and 5.3.3.
    """

    grid: ClassVar = {**KernelAligner.grid, "n_components": (10, 30)}

    def _problem(self, views: Views, labels: Labels, maps: tuple[Map, Map]) -> tuple[Covariances, Solver]:
        x, y = views.values()
        found = covariances((x, y), maps=maps)
        return found, lambda L1, L2, k: canonical(L1, L2, found.own, k)


MODEL = KCCA
