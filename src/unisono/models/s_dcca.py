"""Supervised DCCA: deep canonical correlation of own pairs and of other pairs of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unisono.models.base import Share
from unisono.models.parts.correlation import PerceptronCorrelation
from unisono.models.parts.objective import Pairs, clusters

if TYPE_CHECKING:
    import torch


class SDCCA(PerceptronCorrelation):
    r"""DCCA whose cross-covariance also holds the pairs of different items of one class.

    .. math:: \Sigma_{12} = \sigma\,E_d[\Sigma_1(d)] + (1 - \sigma)\,E_d[\Sigma_2(d)], \quad
        \Sigma_2(d) = \frac{n_d^2\,\mu_f \mu_g^T - \sum_i f(x_i)\,g(y_i)^T}{n_d^2 - n_d}

    (Eq. 4.10-4.15): :math:`\Sigma_1(d)` is the mean over the training pairs of class d in a batch,
    :math:`\Sigma_2(d)` that over its pairs i != j, here from class sums, and :math:`E_d` the mean over classes; a
    class with one item in the batch has no :math:`\Sigma_2(d)`. :math:`\Sigma_{11}, \Sigma_{22}` and the means
    weight an item by its pairs. The rest is `dcca`; the closing linear CCA has the same pairs.

    Parameters
    ----------
    sigma : float
        Weight of the training pairs, from 0 to 1. The text names no value; .2 is the author's code.
    extend : str
        Training pairs. none: every item with its own partner (S-DCCA). half: with half of the other view's items of
        its class, in expectation (S-DCCA-extend1). all: with all of them (S-DCCA-extend2).

    References
    ----------
    Zeng, Yu, Oyama, "Audio-visual embedding for cross-modal music video retrieval through supervised deep CCA",
    ISM 2018; the dissertation's Eq. 4.10-4.15.
    """

    supervised = True

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"sigma": (0.2, 0.5, 0.8), "ridge": (1.0, 3.0)}
    sigma: Share = 0.2
    extend: Literal["none", "half", "all"] = "none"

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return clusters(codes, sigma=self.sigma, extend=self.extend)


MODEL = SDCCA
