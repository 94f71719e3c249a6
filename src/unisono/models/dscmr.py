"""Deep supervised cross-modal retrieval: a label space, a common space, and pairs that lie together in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from unisono.errors import ConfigError
from unisono.models.base import Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.perceptrons import PerceptronAligner

if TYPE_CHECKING:
    import torch

    from unisono.models.parts.perceptrons import Terms


def classification_loss(predicted: Sequence[torch.Tensor], codes: torch.Tensor) -> torch.Tensor:
    r"""Discrimination in the label space, Eq. 4, :math:`\frac{1}{n} (\lVert P^T U - Y \rVert_F + \lVert P^T V - Y \rVert_F)`.

    Parameters
    ----------
    predicted : sequence of torch.Tensor [shape=(n, C), dtype=float32]
        What the linear classifier P gives for the items of either view.
    codes : torch.Tensor [shape=(n,), dtype=int64]
        Classes; Y has a one for the class of an item.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    import torch
    from torch.nn.functional import one_hot

    truth = one_hot(codes, predicted[0].shape[1]).to(predicted[0].dtype)
    return torch.stack([torch.linalg.vector_norm(each - truth) for each in predicted]).sum() / len(codes)


def discrimination_loss(embedded: Sequence[torch.Tensor], codes: torch.Tensor) -> torch.Tensor:
    r"""Discrimination in the common space, between views and within each.

    .. math:: \frac{1}{n^2} \sum_{ij} \log(1 + e^{\Gamma_{ij}}) - S_{ij} \Gamma_{ij}
              + \log(1 + e^{\Phi_{ij}}) - S_{ij} \Phi_{ij} + \log(1 + e^{\Theta_{ij}}) - S_{ij} \Theta_{ij}

    with half of the cosines, :math:`\Gamma_{ij} = \cos(u_i, v_j) / 2`, :math:`\Phi_{ij} = \cos(u_i, u_j) / 2`,
    :math:`\Theta_{ij} = \cos(v_i, v_j) / 2`, and :math:`S_{ij} = 1` where i and j have one class, else 0: minus the
    logarithm of the likelihood of S.

    Parameters
    ----------
    embedded : sequence of torch.Tensor [shape=(n, k), dtype=float32]
        u, v.
    codes : torch.Tensor [shape=(n,), dtype=int64]
        Classes.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    import torch
    from torch.nn.functional import normalize, softplus

    same = (codes[:, None] == codes).to(embedded[0].dtype)
    unit = [normalize(each) for each in embedded]
    halves = torch.stack([one @ other.T / 2 for one, other in combinations_with_replacement(unit, 2)])
    return (softplus(halves) - same * halves).sum() / len(codes) ** 2


def invariance_loss(embedded: Sequence[torch.Tensor]) -> torch.Tensor:
    r"""Invariance to the modality, :math:`\frac{1}{n} \lVert U - V \rVert_F`.

    Parameters
    ----------
    embedded : sequence of torch.Tensor [shape=(n, k), dtype=float32]
        U, V.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    import torch

    one, other = embedded
    return torch.linalg.vector_norm(one - other) / len(one)


class DSCMR(PerceptronAligner):
    """x"""

    n_views = 2
    supervised = True

    classification: Weight = 1.0
    discrimination: Weight = 1.0
    invariance: Weight = 0.1

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        return {"classifier": deep.perceptron(width, [n_classes], last="linear")}

    def _networks(self, views: Views, train: np.ndarray) -> dict[str, torch.nn.Module]:
        found = super()._networks(views, train)
        first, second = found.values()
        if first[-1].weight.shape != second[-1].weight.shape:
            raise ConfigError("x")
        # One layer: both views' gradients change it.
        second[-1] = first[-1]
        return found

    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        predicted = [heads["classifier"](each) for each in embedded]
        return {
            "classification": (self.classification, classification_loss(predicted, codes)),
            "discrimination": (self.discrimination, discrimination_loss(embedded, codes)),
            "invariance": (self.invariance, invariance_loss(embedded)),
        }


MODEL = DSCMR
