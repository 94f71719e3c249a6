"""Networks of the views trained on one loss of a batch: what `supcon`, `dscmr` and `clip` share.

**Conventions.** A batch has b items, each in every view; row i of all is the same item. A loss is the weighted sum of
the terms that a method gives. torch is imported inside functions.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.metrics import ranks
from unisono.models.base import Aligner, Count, Dropout, Labels, Lengths, Natural, Positive, Several, Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation

if TYPE_CHECKING:
    import torch

    #: Weight and value of each part of a loss, by name.
    Terms = dict[str, tuple[float, torch.Tensor]]

#: Where the networks stand among the arrays, by the views' order.
NETWORKS = "networks"
#: Widths of the layers of every view.
LAYERS: deep.Layers = {deep.OTHER: [256, 256, 64]}


class PerceptronAligner(Aligner):
    """What the methods of one loss over batches share.

    Parameters
    ----------
    layers : dict of str to list of int
        Widths of the layers by view, the last the same for all; ``other`` stands for every view not named. Hidden
        layers are ReLU, the last is linear.
    dropout : float
        After every hidden layer.
    batch_size : int
        Items of a batch at most; all batches of an epoch have about as many.
    learning_rate : float
        Of Adam.
    weight_decay : float
        Of the weights of dense layers, taken off in every step in proportion to the learning rate (AdamW).
    epochs : int
        Passes over the training rows.
    min_steps : int
        Least number of batches to train on: on few rows it raises the epochs.
    seed : int
        Of initial weights, dropout and batches.
    """

    trains_networks = True
    standardises = True

    layers: deep.Layers = LAYERS
    dropout: Dropout = 0.5
    batch_size: Several = 128
    learning_rate: Positive = 1e-3
    weight_decay: Weight = 0.0
    epochs: Count = 50
    min_steps: Natural = 300

    #: Share of the rows that choose the epoch; what a method that lets it be chosen declares as a hyper-parameter.
    validation = 0.0

    @abc.abstractmethod
    def _terms(self, embedded: Sequence[torch.Tensor], codes: torch.Tensor, heads: torch.nn.ModuleDict) -> Terms:
        """Return the terms of the loss of a batch, by the outputs of each view's network and the items' classes."""

    def _heads(self, width: int, n_classes: int) -> dict[str, torch.nn.Module]:
        """Return what `_terms` needs besides the networks of the views; it is trained with them."""
        return {}

    def _networks(self, views: Views, train: np.ndarray) -> list[Any]:
        """Build the networks as training starts with them, by the views' order."""
        return [self._network(view, array[train]) for view, array in views.items()]

    def _network(self, view: str, array: np.ndarray) -> torch.nn.Module:
        """Build the network of a view that standardises as these rows ask for."""
        return deep.perceptron(
            array.shape[1],
            deep.layers_of(self.name, self.layers, view),
            hidden="relu",
            last="linear",
            dropout=self.dropout,
            scale=standardisation(array),
        )

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        device = deep.choose_device(self.device)
        n_items = len(next(iter(views.values())))
        width = deep.common_width(self.name, self.layers, views)
        train, held = deep.held_out(self.name, self.validation, n_items, self.seed)
        n_batches = -(-len(train) // self.batch_size)
        epochs = deep.raised(self.epochs, n_batches, self.min_steps)
        data = list(views.values())
        codes = np.zeros(n_items, dtype=np.int64)
        if self.supervised:
            assert labels is not None
            codes = np.unique(labels, return_inverse=True)[1]
            data.append(labels)
        with deep.seeded(self.seed):
            # By place, since a view's name may be none that a module takes.
            embedders = torch.nn.ModuleList(self._networks(views, train))
            heads = torch.nn.ModuleDict(self._heads(width, int(codes.max()) + 1))
            networks = torch.nn.ModuleDict({"views": embedders, "heads": heads}).to(device)
            best = deep.keep_best(networks) if len(held) else None
            optimiser = torch.optim.AdamW(_groups(networks, self.weight_decay), lr=self.learning_rate, fused=True)
            inputs = [torch.as_tensor(array, dtype=torch.float32).to(device) for array in views.values()]
            class_of, own = torch.as_tensor(codes).to(device), torch.as_tensor(train)

            def run_epoch(number: int) -> dict[str, float]:
                sums: dict[str, torch.Tensor] = {}
                for rows in own[torch.randperm(len(own))].to(device).tensor_split(n_batches):
                    outputs = [network(array[rows]) for network, array in zip(embedders, inputs, strict=True)]
                    terms = self._terms(outputs, class_of[rows], heads)
                    loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    for name, value in {"loss": loss, **{name: value for name, (_, value) in terms.items()}}.items():
                        sums[name] = sums[name] + value.detach() if name in sums else value.detach()
                found = {name: value.item() / n_batches for name, value in sums.items()}
                if best is not None:
                    networks.eval()
                    found["validation"] = _log_rank(embedders, [array[held] for array in views.values()])
                    best.consider(-found["validation"])
                return found

            lasting = networks if best is None else best
            deep.train(self, lasting, [optimiser], run_epoch, epochs=epochs, data=data, checkpoint=checkpoint)
            # No epoch follows the last step to tell that it diverged.
            weights = sum(float(weight.detach().abs().sum()) for weight in networks.parameters())
            deep.check_finite(self.name, epochs - 1, {"weights": weights})
            if best is not None:
                best.restore()
        self.arrays_ |= deep.to_arrays(embedders, NETWORKS)

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        network = self._network(view, np.zeros((1, self.widths_[view])))
        place = list(self.widths_).index(view)
        return deep.embed(deep.from_arrays(network, self.arrays_, f"{NETWORKS}.{place}"), array)


def _groups(networks: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Divide weights into those that decay, the matrices of dense layers, and all others."""
    import torch

    matrices = {id(layer.weight) for layer in networks.modules() if isinstance(layer, torch.nn.Linear)}
    parameters = list(networks.parameters())
    groups = [
        {"params": [each for each in parameters if id(each) in matrices], "weight_decay": weight_decay},
        {"params": [each for each in parameters if id(each) not in matrices], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _log_rank(networks: Iterable[torch.nn.Module], arrays: Sequence[np.ndarray]) -> float:
    """Mean logarithm of the rank of the own pair among some rows, over all directions."""
    embedded = [deep.embed(network, array) for network, array in zip(networks, arrays, strict=True)]
    return float(np.mean([np.log(ranks(*pair)) for pair in permutations(embedded, 2)]))
