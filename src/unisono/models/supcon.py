"""Labels shared by the views: softmax over class proxies on a sphere, or supervised contrastive learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from unisono.models.base import Positive
from unisono.models.parts.perceptrons import PerceptronAligner

if TYPE_CHECKING:
    import torch

    from unisono.models.parts.perceptrons import Terms


def proxy_loss(embedded: Sequence[torch.Tensor], codes: torch.Tensor, proxies: torch.Tensor, t: float) -> torch.Tensor:
    import torch
    from torch.nn.functional import cross_entropy, normalize

    logits = normalize(torch.cat(list(embedded))) @ normalize(proxies).T / t
    return cross_entropy(logits, codes.repeat(len(embedded)))


def contrastive_loss(embedded: Sequence[torch.Tensor], codes: torch.Tensor, t: float) -> torch.Tensor:
    import torch
    from torch.nn.functional import normalize

    z = normalize(torch.cat(list(embedded)))
    classes = codes.repeat(len(embedded))
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / t).masked_fill(itself, -torch.inf)
    log_p = logits.log_softmax(1).masked_fill(itself, 0)
    positive = (classes[:, None] == classes) & ~itself
    return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1)).mean()


class SupCon(PerceptronAligner):
    """x"""

    supervised = True
    n_views = None

    loss: Literal["proxies", "contrastive"] = "proxies"
    temperature: Positive = 0.1

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        import torch

        return {"proxies": torch.nn.Linear(width, n_classes, bias=False)} if self.loss == "proxies" else {}

    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        if self.loss == "proxies":
            return {"proxies": (1.0, proxy_loss(embedded, codes, heads["proxies"].weight, self.temperature))}
        return {"contrastive": (1.0, contrastive_loss(embedded, codes, self.temperature))}


MODEL = SupCon
