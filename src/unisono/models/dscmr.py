"""Deep supervised cross-modal retrieval: a label space, a common space, and pairs that lie together in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unisono.errors import ConfigError
from unisono.models.base import Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.perceptrons import PerceptronAligner

if TYPE_CHECKING:
    import torch

    from unisono.models.parts.perceptrons import Terms


def classification_loss(predicted: Sequence[torch.Tensor], codes: torch.Tensor) -> torch.Tensor:
    r"""Discrimination in the label space, :math:`(\lVert P^T U - Y \rVert_F + \lVert P^T V - Y \rVert_F) / n`.

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
    r"""Trains networks that end in one layer for both views, on class labels and pairs.

    .. math:: \min_{f, g, P} \; \kappa J_1 + \lambda J_2 + \eta J_3

    :math:`J_1` is the distance of what a linear classifier P, shared by the views, gives for the embeddings from the
    labels (`classification_loss`), :math:`J_2` how badly cosines within and between the views tell who is of one class
    (`discrimination_loss`), :math:`J_3` the distance of pairs (`invariance_loss`). The last layers of f and g are one
    layer, so that the layers before them are equally wide. Inputs are standardised. The weights are those of the last
    epoch.

    Defaults were chosen on inner quarters of the training rows of the default vegas and mv10k, four fits each, without
    weight decay and with two layers at first: lambda .001, as published, had a MAP of .23 and .26, lambda 1 .48 and
    .35. With the weight decay it had .55 and .38, and with three layers .60 and .35.

    Parameters
    ----------
    classification : float
        kappa, 1 in the paper.
    discrimination : float
        lambda.
    invariance : float
        eta.

    References
    ----------
    Zhen, Hu, Wang, Peng, "Deep supervised cross-modal retrieval", CVPR 2019. Public code takes the mean length of the
    rows where the paper has the Frobenius norm over n.
    """

    n_views = 2
    supervised = True
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {
        "layers": ({"other": [256, 64]}, {"other": [256, 256, 64]}),
        "weight_decay": (1.0, 3.0, 10.0),
    }

    weight_decay = 3.0
    classification: Weight = 1.0
    discrimination: Weight = 1.0
    invariance: Weight = 0.1

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        return {"classifier": deep.perceptron(width, [n_classes], last="linear")}

    def _networks(self, views: Views, train: np.ndarray) -> list[Any]:
        found = super()._networks(views, train)
        last: list[Any] = [network[-1] for network in found]
        if last[0].in_features != last[1].in_features:
            given = ", ".join(f"{view} {each.in_features}" for view, each in zip(views, last, strict=True))
            raise ConfigError(
                f"models.{self.name}.layers: the last layer, which the views share, would take inputs of two widths "
                f"({given}); give both views a hidden layer before it, of one width"
            )
        found[1][-1] = last[0]
        return found

    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        predicted = [heads["classifier"](each) for each in embedded]
        return {
            "classification": (self.classification, classification_loss(predicted, codes)),
            "discrimination": (self.discrimination, discrimination_loss(embedded, codes)),
            "invariance": (self.invariance, invariance_loss(embedded)),
        }


MODEL = DSCMR
