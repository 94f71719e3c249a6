"""The training that the deep correlation methods share: networks, batches, the closing CCA.

**Conventions.** What is maximised, and which rows belong together, is `unisono.models.parts.objective`'s. torch is
imported inside functions.
"""

from __future__ import annotations

import abc
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unisono.errors import ConfigError, TrainingError
from unisono.models.base import (
    Count,
    Dropout,
    Labels,
    Lengths,
    Natural,
    Positive,
    Several,
    Views,
    Weight,
)
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.linear import CanonicalAligner, canonical, cholesky
from unisono.models.parts.objective import Norm, Pairs, correlation, moments
from unisono.models.parts.views import check_components

if TYPE_CHECKING:
    import torch

#: The dissertation's hidden widths for pictures scaled down for few rows, and 10 outputs, as its chapter 5 has for all
#: baselines.
LAYERS: deep.Layers = {deep.OTHER: [256, 256, 128, 10]}
#: Multiply-adds per step from which a second thread pays (measured on two cores).
LARGE = 300_000_000
#: Weight of own pairs in the closing CCA where a method gives them none: class sums alone have one component less
#: than there are classes, and the order of those beyond it must not depend on rounding.
NEGLIGIBLE = 1e-6


class DeepCorrelation(CanonicalAligner):
    """What the deep correlation methods share; they differ in their networks and in which rows belong together.

    One network per view is trained for the correlation of its outputs with the other's, batch by batch. A linear
    CCA of the outputs of all training rows, over the same pairs, then gives the shared space.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most the width of the outputs and n-1.
    epochs : int
        Passes over the training rows.
    batch : int
        Rows per step at most; all steps of an epoch have about as many. Not above the width of the outputs, only
        the ridge keeps covariances regular: a warning, and without a ridge an error.
    learning_rate : float
        Of RMSprop (decay .9).
    ridge : float
        r, relative to the mean of the covariance's diagonal; of the objective and of the closing CCA.
    norm : str
        trace: the sum of the canonical correlations. frobenius: the root of the sum of their squares, as in the
        author's code.
    seed : int
        Of weights, dropout and batches.
    """

    trains_networks = True
    standardises = True

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"ridge": (0.3, 1.0, 3.0), "learning_rate": (1e-3, 3e-3)}
    epochs: Count = 50
    batch: Several = 100
    learning_rate: Positive = 1e-3
    ridge: Weight = 1.0
    norm: Norm = "trace"

    #: What a method that lets them be chosen declares as hyper-parameters: share of the rows that choose the epoch, and
    #: precision of the networks.
    validation = 0.0
    precision = "single"

    @abc.abstractmethod
    def _pairs(self, codes: torch.Tensor) -> Pairs:
        """Say which rows belong together, given their classes."""

    def _epochs(self, n_batches: int) -> int:
        """Return the number of epochs for that many batches each."""
        return self.epochs

    @abc.abstractmethod
    def _width(self, view: str) -> int:
        """Return the width of a network's outputs."""

    @abc.abstractmethod
    def _network(self, view: str, inputs: np.ndarray | None) -> torch.nn.Module:
        """Build the network of a view, for training on these inputs or for weights that `arrays_` holds."""

    @property
    def _outputs_key(self) -> str:
        """What says how wide the outputs are, for messages."""
        return f"the last of models.{self.name}.layers"

    def _inputs(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Turn a checked view into what its network takes."""
        return array

    def _halves(self, network: torch.nn.Module) -> tuple[torch.nn.Module, torch.nn.Module]:
        """Split a network into what learns nothing, applied to all rows once, and the rest."""
        import torch

        return torch.nn.Identity(), network

    def _optimiser(self, networks: torch.nn.Module) -> torch.optim.Optimizer:
        """Return what trains the networks."""
        import torch

        # As Keras, which the authors used, has it.
        return torch.optim.RMSprop(networks.parameters(), lr=self.learning_rate, alpha=0.9, eps=1e-7)

    def _settle(self, network: torch.nn.Module, batches: Iterable[torch.Tensor]) -> None:
        """Bring up to date what a network measures on the training rows."""

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        n_items = len(next(iter(views.values())))
        train, held = deep.held_out(self.name, self.validation, n_items, self.seed)
        n_batches = -(-len(train) // self.batch)
        self._check_sizes(len(train), len(train) // n_batches)
        device = deep.choose_device(self.device)
        classes = np.zeros(n_items, dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
        inputs = {view: self._inputs(view, array, lengths.get(view)) for view, array in views.items()}
        dtype = torch.float64 if self.precision == "double" else torch.float32
        with deep.seeded(self.seed):
            networks = torch.nn.ModuleList(self._network(view, array) for view, array in inputs.items()).to(dtype)
            # A function of sizes alone, since it is part of the arithmetic's order; `seeded` takes it back.
            work = len(train) // n_batches * sum(weight.numel() for weight in networks.parameters())
            torch.set_num_threads(2 if work > LARGE else 1)
            networks.to(device)
            optimiser = self._optimiser(networks)
            best = deep.keep_best(networks) if len(held) else None
            fixed, learning = zip(*(self._halves(network) for network in networks), strict=True)
            x, y = (
                half(torch.as_tensor(array, dtype=dtype, device=device))
                for half, array in zip(fixed, inputs.values(), strict=True)
            )
            codes, own = torch.as_tensor(classes, device=device), torch.as_tensor(train)

            def run_epoch(number: int) -> Mapping[str, float]:
                losses = []
                for rows in own[torch.randperm(len(own))].to(device).tensor_split(n_batches):
                    outputs = learning[0](x[rows]), learning[1](y[rows])
                    loss = -self._correlation(*outputs, self._pairs(codes[rows]), epoch=number)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    losses.append(loss.detach())
                terms = {"loss": float(torch.stack(losses).mean())}
                if best is not None:
                    settle()
                    terms["validation"] = self._held_out_correlation(embed(), classes, train, held)
                    best.consider(terms["validation"])
                return terms

            def settle() -> None:
                parts = own.to(device).tensor_split(n_batches)
                for network, array in zip(learning, (x, y), strict=True):
                    self._settle(network, (array[rows] for rows in parts))

            def embed() -> list[np.ndarray]:
                networks.eval()
                return [deep.embed(*pair) for pair in zip(networks, inputs.values(), strict=True)]

            data, epochs = [*inputs.values(), classes], self._epochs(n_batches)
            lasting = networks if best is None else best
            deep.train(self, lasting, [optimiser], run_epoch, epochs=epochs, data=data, checkpoint=checkpoint)
            if best is None:
                settle()
            else:
                best.restore()
            networks.cpu()
            outputs = embed()
        S, means, weights = self._closing([array[train] for array in outputs], classes[train], list(views))
        self.arrays_ = {"correlations": S}
        for view, network, mean, own_weights in zip(views, networks, means, weights, strict=True):
            self.arrays_ |= {f"{view}.mean": mean, f"{view}.weights": own_weights}
            self.arrays_ |= deep.to_arrays(network, f"{view}.network")

    def _closing(
        self, outputs: Sequence[np.ndarray], classes: np.ndarray, views: Sequence[str]
    ) -> tuple[np.ndarray, Sequence[np.ndarray], Sequence[np.ndarray]]:
        """Solve the linear CCA of the outputs of the training rows: correlations, means and weights of either view."""
        import torch

        X, Y = (torch.as_tensor(array) for array in outputs)
        pairs = self._pairs(torch.as_tensor(classes))
        if not pairs.own.any():
            pairs = replace(pairs, own=pairs.own + NEGLIGIBLE / len(X))
        *means, S11, S22, S12 = (moment.numpy() for moment in moments(X, Y, pairs))
        L1, L2 = (
            cholesky(S, self.ridge, where=f"{self.name}, outputs of view {view!r}")
            for view, S in zip(views, (S11, S22), strict=True)
        )
        S, *weights = canonical(L1, L2, S12, self.n_components)
        return S, means, weights

    def _held_out_correlation(
        self, outputs: Sequence[np.ndarray], classes: np.ndarray, train: np.ndarray, held: np.ndarray
    ) -> float:
        """Mean correlation, over held-out rows, of the components that the training rows have."""
        _, means, weights = self._closing([array[train] for array in outputs], classes[train], list(self.widths_))
        variates = [(array[held] - mean) @ own for array, mean, own in zip(outputs, means, weights, strict=True)]
        first, second = (array - array.mean(axis=0) for array in variates)
        scale = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
        return float(np.mean((first * second).sum(axis=0) / np.maximum(scale, np.finfo(float).tiny)))

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        network = deep.from_arrays(self._network(view, None), self.arrays_, f"{view}.network")
        outputs = deep.embed(network, self._inputs(view, array, lengths))
        projected: np.ndarray = (outputs - self.arrays_[f"{view}.mean"]) @ self.arrays_[f"{view}.weights"]
        return projected

    def _correlation(self, X: torch.Tensor, Y: torch.Tensor, pairs: Pairs, *, epoch: int) -> torch.Tensor:
        import torch

        try:
            return correlation(X, Y, pairs, ridge=self.ridge, norm=self.norm)
        except torch.linalg.LinAlgError:
            raise TrainingError(
                f"{self.name}: training diverged in epoch {epoch + 1}, the outputs' covariance is not positive "
                f"definite with ridge {self.ridge} (NaN, or outputs that no longer vary); lower "
                f"models.{self.name}.learning_rate, raise models.{self.name}.ridge, or check the features' scale"
            ) from None

    def _check_sizes(self, n_items: int, n_rows: int) -> None:
        """Check components and batches against the width of the outputs."""
        widths = {view: self._width(view) for view in self.widths_}
        narrowest = min(widths, key=lambda view: widths[view])
        if self.n_components > widths[narrowest]:
            raise ConfigError(
                f"models.{self.name}.n_components: {self.n_components} is more than the networks have outputs: "
                f"at most {widths[narrowest]} (of view {narrowest!r}); lower n_components, or widen {self._outputs_key}"
            )
        check_components(
            self.name, self.n_components, {view: np.empty((n_items, width)) for view, width in widths.items()}
        )
        if n_rows > max(widths.values()):
            return
        problem = (
            f"{self.name}: batches of {n_rows} rows for outputs {max(widths.values())} wide: covariances are singular"
        )
        if self.ridge == 0:
            raise ConfigError(f"{problem}; raise models.{self.name}.batch, narrow the last layer, or set a ridge")
        warnings.warn(f"{problem} but for the ridge ({self.ridge}); a larger batch is better", stacklevel=4)


class PerceptronCorrelation(DeepCorrelation):
    """Deep correlation of averaged views, through fully connected networks.

    Parameters
    ----------
    layers : dict of str to list of int
        Widths of the layers by view; ``other`` stands for every view not named. Hidden layers are tanh, the last
        is sigmoid.
    dropout : float
        After every hidden layer.
    min_steps : int
        Least number of steps to train for: on few rows it raises the epochs.
    """

    layers: deep.Layers = LAYERS
    dropout: Dropout = 0.2
    min_steps: Natural = 300

    def _epochs(self, n_batches: int) -> int:
        return deep.raised(self.epochs, n_batches, self.min_steps)

    def _width(self, view: str) -> int:
        return deep.layers_of(self.name, self.layers, view)[-1]

    def _network(self, view: str, inputs: np.ndarray | None) -> torch.nn.Module:
        width = self.widths_[view]
        scale = (np.zeros(width), np.ones(width)) if inputs is None else standardisation(inputs)
        layers = deep.layers_of(self.name, self.layers, view)
        return deep.perceptron(width, layers, dropout=self.dropout, scale=scale)

    def _halves(self, network: torch.nn.Module) -> tuple[torch.nn.Module, torch.nn.Module]:
        import torch

        if isinstance(network, torch.nn.Sequential):
            return network[:1], network[1:]
        return super()._halves(network)
