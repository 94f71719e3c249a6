"""Classes as places on a sphere, shared by the views: a softmax over class proxies, or supervised contrastive loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unisono.models.base import Positive
from unisono.models.parts.perceptrons import PerceptronAligner

if TYPE_CHECKING:
    import torch

    from unisono.models.parts.perceptrons import Terms


def proxy_loss(
    embedded: Sequence[torch.Tensor], codes: torch.Tensor, proxies: torch.Tensor, temperature: float
) -> torch.Tensor:
    r"""Normalised softmax: the cross-entropy of the classes by the cosines of embeddings and proxies.

    .. math:: -\frac{1}{N} \sum_i \log \frac{e^{\cos(z_i, p_{c_i})/t}}{\sum_c e^{\cos(z_i, p_c)/t}}

    Parameters
    ----------
    embedded : sequence of torch.Tensor [shape=(b, k), dtype=float32]
        z, by view: N is b times their number.
    codes : torch.Tensor [shape=(b,), dtype=int64]
        Classes c of the items.
    proxies : torch.Tensor [shape=(C, k), dtype=float32]
        p, the same for all views.
    temperature : float
        t.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    cosines = normalize(torch.cat(list(embedded))) @ normalize(proxies).T
    return cross_entropy(cosines / temperature, codes.repeat(len(embedded)))


def contrastive_loss(embedded: Sequence[torch.Tensor], codes: torch.Tensor, temperature: float) -> torch.Tensor:
    r"""Supervised contrastive loss, Khosla et al., Eq. 2, over the items of a batch in all views at once.

    .. math:: -\frac{1}{N} \sum_i \frac{1}{|P(i)|} \sum_{p \in P(i)}
              \log \frac{e^{\cos(z_i, z_p)/t}}{\sum_{a \ne i} e^{\cos(z_i, z_a)/t}}

    P(i) has all others of the class of i, of either view: the item itself in the other view is always one.

    Parameters
    ----------
    embedded : sequence of torch.Tensor [shape=(b, k), dtype=float32]
        z, by view: N is b times their number.
    codes : torch.Tensor [shape=(b,), dtype=int64]
        Classes.
    temperature : float
        t.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    import torch
    from torch.nn.functional import normalize

    z = normalize(torch.cat(list(embedded)))
    classes = codes.repeat(len(embedded))
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    log_p = (z @ z.T / temperature).masked_fill(itself, -torch.inf).log_softmax(1)
    positive = (classes[:, None] == classes) & ~itself
    return -(log_p.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()


class SupCon(PerceptronAligner):
    r"""Trains one network per view so that items of a class lie together on a sphere, whichever view they are seen in.

    .. math:: \min_{f, g, p} \; -\frac{1}{2b} \sum_i \sum_{z \in \{f(x_i), g(y_i)\}}
              \log \frac{e^{\cos(z, p_{c_i})/t}}{\sum_c e^{\cos(z, p_c)/t}}

    with a learned proxy :math:`p_c` of every class, shared by the views (`proxy_loss`), or with the embeddings of a
    batch in each other's place (`contrastive_loss`). Neither asks which rows pair; the contrastive loss takes an item's
    other view for one more of its class. Inputs are standardised. The weights are those of the last epoch.

    Defaults were chosen on inner quarters of the training rows of the default vegas and mv10k, ten fits each: proxies
    had a MAP of .595 and .350, the contrastive loss at its best (temperature .3, dropout .5) .601 and .334. The two are
    level; proxies, which do not depend on what else is in a batch, are the default. Two layers in place of three had
    .555 and .370 (four fits).

    Parameters
    ----------
    loss : {"proxies", "contrastive"}
        The formula, or `contrastive_loss`.
    temperature : float
        t.

    References
    ----------
    Khosla et al., "Supervised contrastive learning", NeurIPS 2020, Eq. 2. Zhai, Wu, "Classification is a strong
    baseline for deep metric learning", BMVC 2019, Eq. 3; Wang, Xiang, Cheng, Yuille, "NormFace: L2 hypersphere
    embedding for face verification", MM 2017.
    """

    supervised = True
    needs_pairs = False
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {
        "layers": ({"other": [256, 64]}, {"other": [256, 256, 64]}),
        "temperature": (0.2, 0.5, 1.0),
    }

    dropout = 0.7
    loss: Literal["proxies", "contrastive"] = "proxies"
    temperature: Positive = 0.5

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        import torch

        # The weights of a layer without bias, so that they start and decay as those of other layers.
        return {"proxies": torch.nn.Linear(width, n_classes, bias=False)} if self.loss == "proxies" else {}

    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        if self.loss == "contrastive":
            return {"contrastive": (1.0, contrastive_loss(embedded, codes, self.temperature))}
        proxies: Any = heads["proxies"]
        return {"proxies": (1.0, proxy_loss(embedded, codes, proxies.weight, self.temperature))}


MODEL = SupCon
