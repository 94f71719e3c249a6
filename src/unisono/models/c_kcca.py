"""Cluster-KCCA: kernel canonical correlation over all pairs of items of one class."""

from __future__ import annotations

import numpy as np

from unisono.models.base import Labels, Views
from unisono.models.parts.closed import Solver
from unisono.models.parts.kernel import KernelAligner
from unisono.models.parts.linear import Covariances, Map, class_canonical, covariances


class CKCCA(KernelAligner):
    r"""Does with the functions of `kcca` what `c_cca` does with linear ones.

    .. math:: \max_{\alpha, \beta} \alpha^T K_x M K_y \beta, \quad
              \alpha^T (K_x D K_x + \kappa_x K_x) \alpha = \beta^T (K_y D K_y + \kappa_y K_y) \beta = 1

    with :math:`M_{ij} = [c_i = c_j] / L`, :math:`D = \operatorname{diag}(n_{c_i}) / L`,
    :math:`L = \sum_c n_c^2`, the kernels centred by the mean over the pairs, and
    :math:`\kappa = r \operatorname{tr} DK`. M has rank C, so the problem on features
    :math:`\Phi \Phi^T = K` reduces to one of C x C (see `c_cca`, also for components beyond C-1). Up to `exact_up_to`
    training rows the solution is exact; **above that it is an approximation** like that of `kcca`, and
    `approximate_` says so.

    References
    ----------
    Rasiwasia, Mahajan, Mahadevan, Aggarwal, "Cluster canonical correlation analysis", AISTATS 2014; the
    dissertation's Eq. 5.5, with kernels in place of inner products; approximations as for `kcca`.
    """

    supervised = True
    needs_pairs = False

    def _problem(self, views: Views, labels: Labels, maps: tuple[Map, Map]) -> tuple[Covariances, Solver]:
        x, y = views.values()
        _, classes, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
        n_pairs = float(sizes @ sizes)
        found = covariances((x, y), maps=maps, weights=sizes[classes] / n_pairs, classes=classes)
        own_pairs = self.scale == "none"
        return found, lambda L1, L2, k: class_canonical(L1, L2, found, n_pairs, k, own_pairs=own_pairs)


MODEL = CKCCA
