"""The network of `tnn` and `tnn_c_cca`, trained on triplets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from unisono.config import nearest
from unisono.errors import ConfigError, DataError
from unisono.models.base import Aligner
from unisono.models.parts import deep, triplets

if TYPE_CHECKING:
    import torch

#: The dissertation's widths.
LAYERS = {"audio": [100, 100, 100, 10], "other": [200, 200, 200, 10]}

Layers = dict[str, list[Annotated[int, Field(ge=1)]]]
Last = Literal["sigmoid", "tanh+sigmoid"]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Distance = Literal["cosine", "euclidean", "squared-euclidean"]
Selection = Literal["batch-all", "batch-semi-hard", "batch-hard", "random"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=triplets.SMALLEST)]
Steps = Annotated[int, Field(ge=0)]


class TripletNetwork(Aligner):
    """Trains one network per view on triplets; `unisono.models.tnn` documents formula and parameters."""

    n_views = 2
    supervised = True

    def __init__(
        self,
        *,
        anchor: str = "auto",
        layers: Layers = LAYERS,
        last: Last = "sigmoid",
        dropout: Dropout = 0.2,
        distance: Distance = "cosine",
        triplets: Selection = "batch-all",
        own_pair: bool = False,
        margin: Positive = 0.5,
        batch_size: BatchSize = 40,
        batches: Count | None = None,
        learning_rate: Positive = 1e-3,
        epochs: Count = 20,
        min_steps: Steps = 800,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.anchor = anchor
        self.layers = layers
        self.last = last
        self.dropout = dropout
        self.distance = distance
        self.triplets = triplets
        self.own_pair = own_pair
        self.margin = margin
        self.batch_size = batch_size
        self.batches = batches
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.min_steps = min_steps

    def _fit(
        self,
        views: dict[str, np.ndarray],
        labels: np.ndarray | None,
        lengths: dict[str, np.ndarray],
        checkpoint: Path | None,
    ) -> None:
        import torch

        assert labels is not None
        classes, codes = np.unique(labels, return_inverse=True)
        if not self.own_pair and len(classes) == len(codes):
            raise DataError(
                f"{self.name}: no class has two training rows, so that no anchor has a positive; give classes "
                "with more rows, or set own_pair"
            )
        n_batches, size = triplets.batch_shape(self.name, len(codes), self.batch_size, self.batches)
        epochs = max(self.epochs, -(-self.min_steps // n_batches))
        device = deep.choose_device(self.device)
        with deep.seeded(self.seed):
            networks = torch.nn.ModuleDict()
            inputs = {}
            for role, view in self._roles(views).items():
                networks[role] = self._network(view, views[view])
                inputs[role] = torch.as_tensor(views[view], dtype=torch.float32).to(device)
            networks.to(device)
            classes_of = torch.as_tensor(codes).to(device)
            optimiser = torch.optim.Adam(networks.parameters(), lr=self.learning_rate, fused=True)
            measure, select = triplets.DISTANCES[self.distance], triplets.SELECTIONS[self.triplets]

            def run_epoch(number: int) -> dict[str, float]:
                sums = torch.zeros(2, device=device)
                for rows in triplets.balanced_batches(codes, n_batches, size).to(device):
                    embedded = {role: networks[role](array[rows]) for role, array in inputs.items()}
                    distances = measure(embedded["anchor"], embedded["other"])
                    positive, negative = triplets.candidates(classes_of[rows], own_pair=self.own_pair)
                    taken = select(distances.detach(), positive, negative, self.margin)
                    loss, active = triplets.hinge(distances, taken, self.margin)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    sums += torch.stack([loss.detach(), active])
                loss_mean, active_mean = (sums / n_batches).tolist()
                return {"loss": loss_mean, "active": active_mean}

            data = [*views.values(), labels]
            deep.train(self, networks, [optimiser], run_epoch, epochs=epochs, data=data, checkpoint=checkpoint)
        self.arrays_ |= deep.to_arrays(networks, "networks")

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        (role,) = (role for role, its in self._roles(self.widths_).items() if its == view)
        prefix = f"networks.{role}"
        width = len(self.arrays_[f"{prefix}.0.mean"])
        network = self._network(view, np.zeros((1, width)))
        return deep.embed(deep.from_arrays(network, self.arrays_, prefix), array)

    def _roles(self, views: Iterable[str]) -> dict[str, str]:
        """Return the views by their part in a triplet: anchor, other."""
        names = sorted(views)
        anchor = self.anchor
        if anchor == "auto":
            anchor = "audio" if "audio" in names else names[0]
        if anchor not in names:
            raise ConfigError(f"models.{self.name}.anchor: {anchor!r} is no view; {nearest(anchor, ['auto', *names])}")
        return {"anchor": anchor, "other": next(view for view in names if view != anchor)}

    def _network(self, view: str, array: np.ndarray) -> torch.nn.Sequential:
        widths = deep.layers_of(self.name, self.layers, view)
        last = {layers[-1] for layers in self.layers.values() if layers}
        if len(last) > 1:
            raise ConfigError(
                f"models.{self.name}.layers: last widths {', '.join(map(str, sorted(last)))}; one space needs the same"
            )
        return deep.perceptron(
            array.shape[1], widths, last=self.last, dropout=self.dropout, scale=deep.standardisation(array)
        )
