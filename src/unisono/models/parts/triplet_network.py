"""The network of `tnn` and `tnn_c_cca`, trained on triplets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from unisono.config import nearest
from unisono.errors import ConfigError, DataError
from unisono.models.base import Aligner, Count, Dropout, Labels, Lengths, Natural, Positive, Views
from unisono.models.parts import deep, triplets
from unisono.models.parts.columns import standardisation

if TYPE_CHECKING:
    import torch

#: The dissertation's widths for pictures; its sound has half as many hidden units (params.yaml).
LAYERS = {"other": [200, 200, 200, 10]}


class TripletNetwork(Aligner):
    """Trains one network per view on triplets; `unisono.models.tnn` has the formula.

    Parameters
    ----------
    anchor : str
        View of the anchors: its name, or auto, which is ``audio`` if there is a view of that name, otherwise the first
        by name.
    layers : dict of str to list of int
        Widths of each view's layers, the last the same for all; ``other`` stands for views not named.
    last : {"sigmoid", "tanh+sigmoid"}
        Activation of the last layer. With tanh+sigmoid (the authors' code) no cosine distance exceeds 1 - sech(1) =
        .352 in any number of dimensions, so that every term of a larger margin stays active.
    dropout : float
        After every hidden layer.
    distance : {"cosine", "euclidean", "squared-euclidean"}
        d: one minus the cosine; the length of the difference, as Hermans et al. advise; its square, as the authors'
        code.
    triplets : {"batch-all", "batch-semi-hard", "batch-hard", "random"}
        All triplets of the batch; those whose negative is farther than the positive by less than the margin; for
        each anchor its farthest positive and nearest negative; 150 per anchor, drawn from the batch with replacement.
    own_pair : bool
        Whether an anchor's own item in the other view is one of its positives.
    margin : float
        m.
    batch_size : int
        Items of a batch, not more than there are.
    batches : int or None
        Number of batches B of an epoch, which then have floor(n / B) items: the dissertation's way to say the batch
        size. If given, `batch_size` has no effect.
    learning_rate : float
        Of Adam.
    epochs : int
        Passes over the training rows.
    min_steps : int
        Least number of batches to train on: on few rows it raises the epochs.
    seed : int
        Of initial weights, dropout and batches.
    """

    n_views = 2
    supervised = True
    needs_pairs = False
    trains_networks = True
    standardises = True

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"margin": (0.2, 0.35, 0.5), "learning_rate": (1e-3, 3e-3)}
    anchor: str = "auto"
    layers: deep.Layers = LAYERS
    last: Literal["sigmoid", "tanh+sigmoid"] = "sigmoid"
    dropout: Dropout = 0.2
    distance: Literal["cosine", "euclidean", "squared-euclidean"] = "cosine"
    triplets: Literal["batch-all", "batch-semi-hard", "batch-hard", "random"] = "batch-all"
    own_pair: bool = False
    margin: Positive = 0.5
    batch_size: Annotated[int, Field(ge=triplets.SMALLEST)] = 40
    batches: Count | None = None
    learning_rate: Positive = 1e-3
    epochs: Count = 20
    min_steps: Natural = 800

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        assert labels is not None
        classes, codes = np.unique(labels, return_inverse=True)
        if not self.own_pair and len(classes) == len(codes):
            raise DataError(
                f"{self.name}: no class has two training rows, so that no anchor has a positive; give classes "
                "with more rows, or set own_pair"
            )
        n_batches, size = triplets.batch_shape(self.name, len(codes), self.batch_size, self.batches)
        epochs = deep.raised(self.epochs, n_batches, self.min_steps)
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
        deep.common_width(self.name, self.layers, self.layers)
        return deep.perceptron(
            array.shape[1],
            deep.layers_of(self.name, self.layers, view),
            last=self.last,
            dropout=self.dropout,
            scale=self._input_scale(array),
        )

    def _input_scale(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is taken off the rows of a view, and what they are divided by."""
        return standardisation(array)
