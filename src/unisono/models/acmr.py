"""Adversarial cross-modal retrieval: class labels and triplets against a modality classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unisono.models.base import Positive, Weight
from unisono.models.parts import deep, triplets
from unisono.models.parts import modality as shared

if TYPE_CHECKING:
    import torch

Positives = Literal["class", "pair"]


def label_loss(classifier: torch.nn.Module, batch: shared.Batch) -> torch.Tensor:
    r"""Intra-modal discrimination, :math:`-\frac{1}{b} \sum_i \log p_{c_i}(u_i) + \log p_{c_i}(w_i)`.

    Parameters
    ----------
    classifier : torch.nn.Module
        Shared by the views; gives C numbers per row, whose softmax is p.
    batch : Batch
        With classes c and embeddings u, w.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    from torch.nn.functional import cross_entropy

    one, other = (cross_entropy(classifier(embedded), batch.codes) for embedded in batch.embedded)
    return one + other


def triplet_loss(batch: shared.Batch, *, positives: Positives, pull: float, margin: float) -> torch.Tensor:
    r"""Inter-modal invariance, the mean of :math:`[m + a\,d(u_i, w_p) - d(u_i, w_n)]_+` in both directions.

    d is half of the squared distance. The negative n of an anchor i is the item of another class whose features in
    the anchor's own view have the largest cosine with those of i.

    Parameters
    ----------
    batch : Batch
    positives : {"class", "pair"}
        p runs over all items of the anchor's class, its own among them, or is the own item.
    pull : float
        a.
    margin : float
        m.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
        Zero for a batch of one class.
    """
    import torch

    same = batch.codes[:, None] == batch.codes
    near = same if positives == "class" else torch.eye(len(same), dtype=torch.bool, device=same.device)
    near = near & ~same.all(dim=1)[:, None]
    distances = triplets.squared_euclidean(*batch.embedded) / 2
    total = distances.new_zeros(())
    for inputs, d in zip(batch.inputs, (distances, distances.T), strict=True):
        likeness = (1 - triplets.cosine(inputs, inputs)).masked_fill(same, -torch.inf)
        far = d.gather(1, likeness.argmax(dim=1, keepdim=True))
        total = total + ((margin + pull * d - far).clamp(min=0) * near).sum() / near.sum().clamp(min=1)
    return total


class ACMR(shared.AdversarialAligner):
    r"""Trains one network per view on labels and triplets, so that a modality classifier cannot tell the views apart.

    .. math:: \min_{f, g, p} \max_D \; \beta L_{label} + \alpha L_{triplet} + \gamma \sum_l \lVert W_l \rVert_F^2
              - l\,\lambda L_{modality}

    with :math:`L_{label}` the cross-entropy of a label classifier p shared by the views (`label_loss`),
    :math:`L_{triplet}` the hinge of `triplet_loss`, :math:`W_l` the weights of f and g, and :math:`L_{modality}` the
    cross-entropy of the modality classifier D, which rises for f and g and falls for D in the same step (the sign
    of the gradient changes between them). l grows from 0 to 1 over the epochs (`modality.strength`). Embeddings are
    the outputs of f and g; every layer but the classifiers' last is tanh. The weights are those of the last epoch.

    Parameters
    ----------
    positives : {"class", "pair"}
        Positives of an anchor: all items of its class, as the paper says ("all items from different modalities with
        same semantic labels"), or its own pair only, as the authors' code has it.
    pull : float
        Weight of the positive's distance within the hinge.
    margin : float
        Of the hinge.
    label : float
        beta.
    triplet : float
        alpha.

    References
    ----------
    Wang, Yang, Xu, Hanjalic, Shen, "Adversarial cross-modal retrieval", MM 2017, pp. 154-162. Their published code
    trains neither the label classifier nor f and g against D; here both are trained, as the paper says.
    """

    supervised = True
    last: ClassVar[str] = "tanh"

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"learning_rate": (1e-3, 3e-3), "triplet": (0.1, 0.3, 1.0)}
    positives: Positives = "class"
    pull: Positive = 1.0
    margin: Positive = 1.0
    label: Weight = 1.0
    triplet: Weight = 0.3

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        return {"label": deep.perceptron(width, [n_classes], last="linear")}

    def _terms(self, batch: shared.Batch, heads: torch.nn.ModuleDict) -> dict[str, tuple[float, torch.Tensor]]:
        triplet = triplet_loss(batch, positives=self.positives, pull=self.pull, margin=self.margin)
        return {"label": (self.label, label_loss(heads["label"], batch)), "triplet": (self.triplet, triplet)}


MODEL = ACMR
