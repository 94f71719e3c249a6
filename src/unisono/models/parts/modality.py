"""Adversarial alignment of two views: networks that a modality classifier shall not tell apart.

**Conventions.** A batch has b items, each in two views; row i of both is the same item. The modality classifier
learns to tell from which view an embedding is. Between it and the networks the gradient changes its sign, so that
one step moves the classifier down its loss and the networks up. torch is imported inside functions.
"""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unisono.models.base import Aligner, Count, Dropout, Labels, Lengths, Natural, Positive, Several, Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation

if TYPE_CHECKING:
    import torch

#: Three layers, as in ACMR; the dissertation's 10 outputs; hidden layers as wide as those of its other networks.
LAYERS = {"other": [200, 100, 10]}
#: Hidden layers of the modality classifier, the authors' for their 40 outputs.
MODALITY_LAYERS = [20, 10]
#: Decay of Adam's first moment, the authors'; the usual .9 would average over the classifier's former states.
BETAS = (0.5, 0.999)


def strength(epoch: int, epochs: int) -> float:
    r"""How much of the reversed gradient the networks receive: l = 2 / (1 + exp(-10 p)) - 1.

    Parameters
    ----------
    epoch : int
        From 0.
    epochs : int
        p = epoch / epochs.

    Returns
    -------
    float
        0 at first, .9999 at last.

    References
    ----------
    Ganin, Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015, Eq. 14; the same in the code
    of ACMR.
    """
    return 2 / (1 + math.exp(-10 * epoch / epochs)) - 1


@functools.cache
def _reversal() -> Callable[[torch.Tensor, float], torch.Tensor]:
    import torch

    class Reversal(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, factor: float) -> torch.Tensor:
            ctx.factor = factor
            return x.view_as(x)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
            return -ctx.factor * gradient, None

    return Reversal.apply


def reverse(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Return x; on the way back its gradient is multiplied by -factor."""
    return _reversal()(x, factor)


def modality_loss(classifier: torch.nn.Module, one: torch.Tensor, other: torch.Tensor, factor: float) -> torch.Tensor:
    r"""Cross-entropy of telling the view of an embedding, :math:`-\frac{1}{2b} \sum_i \log D_1(u_i) + \log D_2(w_i)`.

    Parameters
    ----------
    classifier : torch.nn.Module
        Gives two numbers per row, whose softmax is D.
    one, other : torch.Tensor [shape=(b, k), dtype=float32]
        u and w. They receive -factor times the gradient, the classifier all of it.
    factor : float

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
        log 2 where the views cannot be told apart.
    """
    import torch
    from torch.nn.functional import cross_entropy

    views = torch.arange(2, device=one.device).repeat_interleave(len(one))
    return cross_entropy(classifier(reverse(torch.cat([one, other]), factor)), views)


def squared_weights(networks: Iterable[torch.nn.Module]) -> torch.Tensor:
    r"""Regularisation :math:`\sum_l \lVert W_l \rVert_F^2` over the layers of some networks, without biases."""
    import torch

    layers = [layer for network in networks for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    return torch.stack([layer.weight.square().sum() for layer in layers]).sum()


@dataclass(frozen=True)
class Batch:
    """Rows of both views in a step.

    Attributes
    ----------
    inputs : tuple of torch.Tensor [shape=(b, d), dtype=float32]
        Standardised features, by view.
    embedded : tuple of torch.Tensor [shape=(b, k), dtype=float32]
        Outputs of the networks.
    codes : torch.Tensor [shape=(b,), dtype=int64]
        Classes 0 ... C-1; all 0 in an unsupervised method.
    """

    inputs: tuple[torch.Tensor, torch.Tensor]
    embedded: tuple[torch.Tensor, torch.Tensor]
    codes: torch.Tensor


class AdversarialAligner(Aligner):
    """What the methods with a modality classifier share.

    Parameters
    ----------
    layers : dict of str to list of int
        Widths of the layers by view, the last the same for both; ``other`` stands for every view not named.
    modality_layers : list of int
        Widths of the modality classifier's hidden layers; two outputs follow.
    dropout : float
        After every hidden layer of f and g.
    adversary : float
        lambda.
    weight_decay : float
        gamma.
    batch_size : int
        Items of a batch, not more than there are.
    learning_rate : float
        Of Adam, with first moment .5.
    epochs : int
        Passes over the training rows.
    min_steps : int
        Least number of batches to train on: on few rows it raises the epochs.
    seed : int
        Of initial weights, dropout and batches.
    """

    n_views = 2
    trains_networks = True
    standardises = True
    #: Activation of the last layer.
    last: ClassVar[str]

    layers: deep.Layers = LAYERS
    modality_layers: list[Count] = MODALITY_LAYERS
    dropout: Dropout = 0.2
    adversary: Weight = 0.1
    weight_decay: Weight = 0.01
    batch_size: Several = 64
    learning_rate: Positive = 1e-3
    epochs: Count = 50
    min_steps: Natural = 400

    @abc.abstractmethod
    def _terms(self, batch: Batch, heads: torch.nn.ModuleDict) -> dict[str, tuple[float, torch.Tensor]]:
        """Return the terms that align the views: weight and value by name."""

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        """Return networks besides those of the views that `_terms` needs; they are trained with them."""
        return {}

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        device = deep.choose_device(self.device)
        n_items = len(next(iter(views.values())))
        size = min(self.batch_size, n_items)
        n_batches = n_items // size
        epochs = deep.raised(self.epochs, n_batches, self.min_steps)
        with deep.seeded(self.seed):
            embedders = {view: self._network(view, array) for view, array in views.items()}
            width = deep.common_width(self.name, self.layers, views)
            codes, data = np.zeros(n_items, dtype=np.int64), list(views.values())
            if self.supervised:
                assert labels is not None
                codes = np.unique(labels, return_inverse=True)[1]
                data.append(labels)
            heads = torch.nn.ModuleDict(self._heads(width, codes.max() + 1))
            classifier = deep.perceptron(width, [*self.modality_layers, 2], last="linear")
            networks = torch.nn.ModuleDict(
                {"views": torch.nn.ModuleDict(embedders), "heads": heads, "modality": classifier}
            ).to(device)
            optimiser = torch.optim.Adam(networks.parameters(), lr=self.learning_rate, betas=BETAS, fused=True)
            # Standardised once, not in every step.
            bodies = [network[1:] for network in embedders.values()]
            inputs = [
                network[0](torch.as_tensor(array, dtype=torch.float32).to(device))
                for network, array in zip(embedders.values(), views.values(), strict=True)
            ]
            class_of = torch.as_tensor(codes).to(device)

            def step(rows: torch.Tensor, factor: float) -> dict[str, torch.Tensor]:
                one, other = (array[rows] for array in inputs)
                embedded = bodies[0](one), bodies[1](other)
                terms = self._terms(Batch((one, other), embedded, class_of[rows]), heads)
                terms["weights"] = self.weight_decay, squared_weights(bodies)
                aligned = torch.stack([weight * value for weight, value in terms.values()]).sum()
                modality = modality_loss(classifier, *embedded, factor)
                optimiser.zero_grad()
                (aligned + modality).backward()
                optimiser.step()
                values = {name: value.detach() for name, (_, value) in terms.items()}
                return {"loss": (aligned - factor * modality).detach(), **values, "modality": modality.detach()}

            def run_epoch(number: int) -> dict[str, float]:
                factor = self.adversary * strength(number, epochs)
                sums: dict[str, torch.Tensor] = {}
                for rows in torch.randperm(n_items)[: n_batches * size].view(n_batches, size).to(device):
                    for name, value in step(rows, factor).items():
                        sums[name] = sums[name] + value if name in sums else value
                return {name: value.item() / n_batches for name, value in sums.items()} | {"reversal": factor}

            deep.train(self, networks, [optimiser], run_epoch, epochs=epochs, data=data, checkpoint=checkpoint)
            # No epoch follows the last step to tell that it diverged.
            deep.check_finite(self.name, epochs - 1, {"weights": squared_weights(bodies).item()})
        for view, network in embedders.items():
            self.arrays_ |= deep.to_arrays(network, view)

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        network = self._network(view, np.zeros((1, self.widths_[view])))
        return deep.embed(deep.from_arrays(network, self.arrays_, view), array)

    def _network(self, view: str, array: np.ndarray) -> torch.nn.Sequential:
        return deep.perceptron(
            array.shape[1],
            deep.layers_of(self.name, self.layers, view),
            last=self.last,
            dropout=self.dropout,
            scale=standardisation(array),
        )
