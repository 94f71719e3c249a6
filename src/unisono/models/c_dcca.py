"""Cluster-DCCA: deep canonical correlation over own pairs and pairs of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from unisono.models.base import Share
from unisono.models.parts.correlation import PerceptronCorrelation
from unisono.models.parts.objective import Pairs, paired

if TYPE_CHECKING:
    import torch


class CDCCA(PerceptronCorrelation):
    r"""DCCA whose cross-covariance holds the pairs of one class, too.

    .. math:: \Sigma_{12} = \beta\,\Sigma_{own} + (1 - \beta)\,\Sigma_{class}

    where :math:`\Sigma_{own}` is the mean of :math:`f(x_i)\,g(y_i)^T` over the items' own pairs of a batch and
    :math:`\Sigma_{class}` that of :math:`f(x_i)\,g(y_j)^T` over the pairs of one class, from class sums.
    :math:`\Sigma_{11}, \Sigma_{22}` and the means weight an item by its pairs. The rest is `dcca`; the closing
    linear CCA has the same pairs.

    Parameters
    ----------
    pairs : str
        Pairs that stand for a class. half: every item with its own partner and, in expectation, as many others as
        make half of its class (the dissertation adds 50 % of the pairs). all: every item with every item.
    beta : float
        Weight of own pairs beside those of the class, from 0 to 1. The author's code has .2, with all.

    References
    ----------
    Yu, Tang, Aizawa, Aizawa, "Category-based deep CCA for fine-grained venue discovery from multimodal data",
    TNNLS 30(4), 2019; the dissertation's section 5.3.3.
    """

    supervised = True
    needs_pairs = False

    pairs: Literal["half", "all"] = "half"
    beta: Share = 0.0

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return paired(codes, pairs=self.pairs, beta=self.beta)


MODEL = CDCCA
