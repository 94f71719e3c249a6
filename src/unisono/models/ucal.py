"""Unsupervised cross-modal retrieval through adversarial learning: pairs against a modality classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unisono.models.base import Labels, Lengths, Views, Weight
from unisono.models.parts import modality as shared

if TYPE_CHECKING:
    import torch

#: Variance, of the one that the moments ask for, below which a direction of the embeddings counts as lost.
LOST = 0.01


def pair_loss(batch: shared.Batch) -> torch.Tensor:
    r"""Squared distance of paired embeddings, :math:`\frac{1}{bk} \sum_i \lVert u_i - w_i \rVert^2`.

    Parameters
    ----------
    batch : Batch
        With embeddings u, w of k numbers.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    one, other = batch.embedded
    return (one - other).square().mean()


def moment_loss(batch: shared.Batch) -> torch.Tensor:
    r"""Departure from zero mean and unit covariance, :math:`(\lVert\mu\rVert^2 + \lVert\Sigma - I\rVert_F^2) / k`.

    Parameters
    ----------
    batch : Batch
        mu and Sigma are the mean and the covariance (over b - 1) of its embeddings.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
        The sum of both views.
    """
    import torch

    total = batch.embedded[0].new_zeros(())
    for embedded in batch.embedded:
        mean = embedded.mean(dim=0)
        centred = embedded - mean
        covariance = centred.T @ centred / (len(embedded) - 1)
        identity = torch.eye(len(covariance), device=covariance.device)
        total = total + (mean.square().sum() + (covariance - identity).square().sum()) / len(mean)
    return total


class UCAL(shared.AdversarialAligner):
    r"""Trains one network per view so that pairs are near, and a modality classifier cannot tell the views apart.

    .. math:: \min_{f, g} \max_D \; L_{pair} + \mu L_{moments} + \gamma \sum_l \lVert W_l \rVert_F^2
              - l\,\lambda L_{modality}

    No labels. :math:`L_{pair}` is the squared distance of pairs (`pair_loss`), :math:`W_l` are the weights of f and
    g, :math:`L_{modality}` is the cross-entropy of the modality classifier D, with the sign of its gradient changed
    between D and the networks, and l grows from 0 to 1 over the epochs, all as in `acmr`.

    Constant networks minimise all of these terms: their pairs coincide, they have no weights, and D cannot tell them
    apart. Without a guard the outputs shrink together, direction by direction. :math:`L_{moments}`
    (`moment_loss`) keeps them at zero mean and unit covariance, the constraint under which the least distance of pairs
    is the largest correlation: the paper speaks of "maximizing the correlations between modalities". It holds against
    the other terms as long as gamma / mu is small; when directions are lost nevertheless, a warning says how many.
    Hidden layers are tanh, the last is linear. The weights are those of the last epoch.

    Parameters
    ----------
    moments : float
        mu.

    References
    ----------
    He, Xu, Lu, Yang, Shen, Shen, "Unsupervised cross-modal retrieval through adversarial learning", ICME 2017,
    pp. 1153-1158.
    """

    last: ClassVar[str] = "linear"

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"learning_rate": (1e-3, 3e-3), "weight_decay": (0.01, 0.03, 0.1)}
    weight_decay = 0.03
    moments: Weight = 1.0

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        super()._fit(views, labels, lengths, checkpoint)
        for view, array in views.items():
            variances = np.linalg.eigvalsh(np.atleast_2d(np.cov(self._transform(view, array, None).T)))
            lost = int((variances < LOST).sum())
            if lost:
                warnings.warn(
                    f"ucal: the embeddings of view {view!r} have collapsed in {lost} of {len(variances)} directions; "
                    "lower models.ucal.weight_decay or raise models.ucal.moments",
                    stacklevel=3,
                )

    def _terms(self, batch: shared.Batch, heads: torch.nn.ModuleDict) -> dict[str, tuple[float, torch.Tensor]]:
        return {"pair": (1.0, pair_loss(batch)), "moments": (self.moments, moment_loss(batch))}


MODEL = UCAL
