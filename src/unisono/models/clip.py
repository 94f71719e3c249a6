"""Contrastive learning of pairs: each item shall find its own partner among those of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unisono.models.base import Dropout, Labels, Lengths, Positive, Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.linear import closed_cca
from unisono.models.parts.perceptrons import PerceptronAligner

if TYPE_CHECKING:
    import torch

    from unisono.models.parts.perceptrons import Terms

#: Largest factor of the cosines, the authors'.
MOST = 100.0


def pair_loss(one: torch.Tensor, other: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    r"""Symmetric InfoNCE, :math:`-\frac{1}{2b} \sum_i \log p(w_i \mid u_i) + \log p(u_i \mid w_i)`.

    p is the softmax of s times the cosine over the items of the batch in the other view.

    Parameters
    ----------
    one, other : torch.Tensor [shape=(b, k), dtype=float32]
        u and w.
    log_scale : torch.Tensor [shape=(), dtype=float32]
        log s; a larger one than log 100 counts as log 100.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
        log b where nothing can be told apart.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    logits = normalize(one) @ normalize(other).T * log_scale.clamp(max=math.log(MOST)).exp()
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


class CLIP(PerceptronAligner):
    """x"""

    n_views = 2

    init: Literal["cca", "scratch"] = "cca"
    temperature: Positive = 0.07
    ridge: Weight = 0.1
    validation: Dropout = 0.0
    batch_size = 512
    epochs = 20
    min_steps = 20

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        return {"scale": _scale(-math.log(self.temperature))}

    def _networks(self, views: Views, train: np.ndarray) -> dict[str, torch.nn.Module]:
        import torch

        found = super()._networks(views, train)
        if self.init == "cca":
            standardised = {view: deep.embed(network.scaling, views[view][train]) for view, network in found.items()}
            width = deep.common_width(self.name, self.layers, views)
            width = min(width, *(array.shape[1] for array in standardised.values()))
            means, S, *weights = closed_cca(self.name, standardised, width, self.ridge)
            with torch.no_grad():
                for network, mean, own in zip(found.values(), means, weights, strict=True):
                    rows = torch.as_tensor((own * S).T)
                    network.linear.weight[:width] = rows
                    network.linear.bias[:width] = -rows @ torch.as_tensor(mean)
        return found

    def _network(self, view: str, array: np.ndarray) -> torch.nn.Module:
        if self.init == "scratch":
            return super()._network(view, array)
        layers = deep.layers_of(self.name, self.layers, view)
        body = deep.perceptron(array.shape[1], layers, hidden="relu", last="linear", dropout=self.dropout)
        return _corrected(array.shape[1], layers[-1], body, standardisation(array))

    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        return {"pairs": (1.0, pair_loss(*embedded, heads["scale"].log_scale))}


def _scale(start: float) -> Any:
    import torch

    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.log_scale = torch.nn.Parameter(torch.tensor(start))

    return Scale()


def _corrected(width: int, outputs: int, body: torch.nn.Sequential, scale: tuple[np.ndarray, np.ndarray]) -> Any:
    """A linear map of standardised rows, zero at first, and a network that is added to it, zero at first as well."""
    import torch

    class Corrected(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = deep.perceptron(width, [], scale=scale)
            self.linear = torch.nn.Linear(width, outputs)
            self.body = body
            for layer in (self.linear, body[-1]):
                torch.nn.init.zeros_(layer.weight)
                torch.nn.init.zeros_(layer.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.scaling(x)
            found: torch.Tensor = self.linear(x) + self.body(x)
            return found

    return Corrected()


MODEL = CLIP
