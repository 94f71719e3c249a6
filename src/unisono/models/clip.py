"""Contrastive learning of pairs: each item shall find its own partner among those of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unisono.models.base import Dropout, Positive, Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.linear import closed_cca
from unisono.models.parts.perceptrons import PerceptronAligner

if TYPE_CHECKING:
    import torch

    from unisono.models.parts.perceptrons import Terms

#: Widths of the layers of every view.
LAYERS: deep.Layers = {deep.OTHER: [256, 64]}
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
    r"""Trains one network per view so that each item finds its own pair among those of the batch. No labels.

    .. math:: \min_{f, g, s} \; -\frac{1}{2b} \sum_i
              \log \frac{e^{s \cos(f(x_i), g(y_i))}}{\sum_j e^{s \cos(f(x_i), g(y_j))}} +
              \log \frac{e^{s \cos(f(x_i), g(y_i))}}{\sum_j e^{s \cos(f(x_j), g(y_i))}}

    s is learned, too, up to 100. With ``init="cca"`` a view's network is :math:`f(x) = \Lambda A^T x + h(x)`, with the
    weights A of a regularised CCA of the training rows, each axis times its canonical correlation, and a network h that
    is zero at first: training starts where CCA ends. With ``init="scratch"`` it is h alone. Inputs are standardised.

    On small sets held-out pairs are found best after few steps, and worse from then on: hence so few epochs, or
    `validation`.

    Defaults were chosen on inner quarters, by song, of the training samples of the default mtm, audio and sheet_plain:
    R@1 .55 and R@10 .935 after 20 steps, where CCA, the start, has .49 and .92 in as many dimensions; from a
    temperature of .07 .50 and .89 after 150. From scratch it takes more steps, and reaches .46 and .89.

    Parameters
    ----------
    init : {"cca", "scratch"}
    temperature : float
        1 / s at the start.
    ridge : float
        Of the CCA, relative to the mean of each covariance's diagonal; not used from scratch.
    validation : float
        Share of the training rows, drawn by the seed, that are not trained on but choose the epoch: the one after
        which the mean logarithm of the own pair's rank among them is least. 0: the last epoch.

    References
    ----------
    Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021, Figure 3; van
    den Oord, Li, Vinyals, "Representation learning with contrastive predictive coding", 2018.
    """

    n_views = 2
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"init": ("cca", "scratch"), "epochs": (20, 50, 150)}

    layers = LAYERS
    batch_size = 512
    epochs = 20
    min_steps = 20
    init: Literal["cca", "scratch"] = "cca"
    temperature: Positive = 0.5
    ridge: Weight = 0.1
    validation: Dropout = 0.0

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        return {"scale": _scale(-math.log(self.temperature))}

    def _networks(self, views: Views, train: np.ndarray) -> list[Any]:
        import torch

        found = super()._networks(views, train)
        if self.init == "scratch":
            return found
        rows = {
            view: deep.embed(network.scaling, array[train])
            for network, (view, array) in zip(found, views.items(), strict=True)
        }
        width = min([deep.common_width(self.name, self.layers, views), *(array.shape[1] for array in rows.values())])
        means, correlations, *weights = closed_cca(self.name, rows, width, self.ridge)
        with torch.no_grad():
            # Outputs that are more than the views have axes stay zero.
            for network, mean, own in zip(found, means, weights, strict=True):
                axes = own * correlations
                network.linear.weight[:width] = torch.as_tensor(axes.T)
                network.linear.bias[:width] = torch.as_tensor(-mean @ axes)
        return found

    def _network(self, view: str, array: np.ndarray) -> torch.nn.Module:
        if self.init == "scratch":
            return super()._network(view, array)
        layers = deep.layers_of(self.name, self.layers, view)
        body = deep.perceptron(array.shape[1], layers, hidden="relu", last="linear", dropout=self.dropout)
        return _corrected(array.shape[1], layers[-1], body, standardisation(array))

    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        one, other = embedded
        scale: Any = heads["scale"]
        return {"pairs": (1.0, pair_loss(one, other, scale.log_scale))}


def _scale(start: float) -> Any:
    """Make a number that is learned."""
    import torch

    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.log_scale = torch.nn.Parameter(torch.tensor(start))

    return Scale()


def _corrected(width: int, outputs: int, body: torch.nn.Sequential, scale: tuple[np.ndarray, np.ndarray]) -> Any:
    """Make the sum of a linear map and a network of standardised rows, both zero at first."""
    import torch

    class Corrected(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = deep.perceptron(width, [], scale=scale)
            self.linear = torch.nn.Linear(width, outputs)
            self.body = body
            last: Any = body[-1]
            for layer in (self.linear, last):
                torch.nn.init.zeros_(layer.weight)
                torch.nn.init.zeros_(layer.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.scaling(x)
            found: torch.Tensor = self.linear(x) + self.body(x)
            return found

    return Corrected()


MODEL = CLIP
