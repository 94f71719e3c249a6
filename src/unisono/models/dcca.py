"""Deep canonical correlation analysis of two views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from unisono.models.base import Dropout
from unisono.models.parts.correlation import PerceptronCorrelation
from unisono.models.parts.objective import Pairs, one_to_one

if TYPE_CHECKING:
    import torch


class DCCA(PerceptronCorrelation):
    r"""Trains one network per view so that the outputs of paired rows correlate most.

    .. math:: \max_{f, g} \lVert L_1^{-1} \Sigma_{12} L_2^{-T} \rVert, \quad
        \Sigma_{12} = E[f(x)\,g(y)^T], \quad \Sigma_{11} = E[f(x)\,f(x)^T] = L_1 L_1^T

    over the rows of a batch, with centred outputs, a ridge on both covariances and all in float64. A linear CCA of
    the outputs of all training rows follows.

    Parameters
    ----------
    precision : str
        Of the networks: single (float32) | double (float64). The objective is in float64 either way.
    validation : float
        Share of the training rows, drawn by the seed, that are not trained on but choose the epoch: the one after
        which the components of the others correlate most on them, in the mean. 0: the last epoch.

    References
    ----------
    Andrew, Arora, Bilmes, Livescu, "Deep canonical correlation analysis", ICML 2013, Eq. 10-13; the
    dissertation's sections 4.3.1 and 5.3.3.
    """

    precision: Literal["single", "double"] = "single"
    validation: Dropout = 0.0

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return one_to_one(codes)


MODEL = DCCA
