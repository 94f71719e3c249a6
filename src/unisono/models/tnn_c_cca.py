"""Cluster-CCA followed by a triplet network: the dissertation's TNN-C-CCA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from unisono.models.parts import triplet_network as tnn
from unisono.models.parts.clusters import cluster_cca, project

#: Where the arrays of cluster-CCA stand among those of the whole.
PREFIX = "c_cca."


class TNNCCCA(tnn.TripletNetwork):
    r"""Projects two views by cluster-CCA and trains a triplet network (`tnn`) on the projections.

    .. math:: \frac{1}{|T_+|} \sum_{(a, p, n) \in T}
              \big[ d(f(A^T x_a), g(B^T y_p)) - d(f(A^T x_a), g(B^T y_n)) + m \big]_+

    with A and B the weights of `c_cca` (Eq. 5.5) and all else as in `tnn`, which standardises the projections, so that
    cluster-CCA's `scale` has no part. Both are fitted on the same rows.

    Parameters
    ----------
    n_components : int
        Width of cluster-CCA's space.
    ridge : float
        Of cluster-CCA, as are the next two: see `unisono.models.c_cca`.
    pairs : {"one_to_one", "half", "all"}
    beta : float
    anchor : str
        This and all that follow: see `unisono.models.tnn`.
    layers : dict of str to list of int
    last : {"sigmoid", "tanh+sigmoid"}
    dropout : float
    distance : {"cosine", "euclidean", "squared-euclidean"}
    triplets : {"batch-all", "batch-semi-hard", "batch-hard", "random"}
    own_pair : bool
    margin : float
    batch_size : int
    batches : int or None
    learning_rate : float
    epochs : int
    min_steps : int
    seed : int
        Of both.

    References
    ----------
    Zeng, Yu, Oyama, "Deep triplet neural networks with cluster-CCA for audio-visual cross-modal retrieval", TOMM
    16(3), 2020; the dissertation's section 5.2, Eq. 5.5 and 5.13.
    """

    def __init__(
        self,
        *,
        n_components: Annotated[int, Field(ge=1)] = 10,
        ridge: Annotated[float, Field(ge=0)] = 1.0,
        pairs: Literal["one_to_one", "half", "all"] = "all",
        beta: Annotated[float, Field(ge=0, le=1)] = 0.0,
        anchor: str = "auto",
        layers: tnn.Layers = tnn.LAYERS,
        last: tnn.Last = "sigmoid",
        dropout: tnn.Dropout = 0.2,
        distance: tnn.Distance = "cosine",
        triplets: tnn.Selection = "batch-all",
        own_pair: bool = False,
        margin: tnn.Positive = 0.5,
        batch_size: tnn.BatchSize = 40,
        batches: tnn.Count | None = None,
        learning_rate: tnn.Positive = 1e-3,
        epochs: tnn.Count = 20,
        min_steps: tnn.Steps = 800,
        seed: int = 0,
    ) -> None:
        super().__init__(
            anchor=anchor,
            layers=layers,
            last=last,
            dropout=dropout,
            distance=distance,
            triplets=triplets,
            own_pair=own_pair,
            margin=margin,
            batch_size=batch_size,
            batches=batches,
            learning_rate=learning_rate,
            epochs=epochs,
            min_steps=min_steps,
            seed=seed,
        )
        self.n_components = n_components
        self.ridge = ridge
        self.pairs = pairs
        self.beta = beta

    def _fit(
        self,
        views: dict[str, np.ndarray],
        labels: np.ndarray | None,
        lengths: dict[str, np.ndarray],
        checkpoint: Path | None,
    ) -> None:
        assert labels is not None
        found = cluster_cca(
            self.name,
            views,
            labels,
            n_components=self.n_components,
            ridge=self.ridge,
            pairs=self.pairs,
            beta=self.beta,
            seed=self.seed,
        )
        self.arrays_ = {PREFIX + key: array for key, array in found.items()}
        projected = {view: self._project(view, array) for view, array in views.items()}
        super()._fit(projected, labels, lengths, checkpoint)

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return super()._transform(view, self._project(view, array), lengths)

    def _project(self, view: str, array: np.ndarray) -> np.ndarray:
        c_cca = {key.removeprefix(PREFIX): a for key, a in self.arrays_.items() if key.startswith(PREFIX)}
        return project(c_cca, view, array).astype(np.float32)


MODEL = TNNCCCA
