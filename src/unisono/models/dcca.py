"""Deep canonical correlation analysis of two views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from unisono.models.parts.correlation import LAYERS, Layers, Norm, Pairs, PerceptronCorrelation, one_to_one

if TYPE_CHECKING:
    import torch


class DCCA(PerceptronCorrelation):
    r"""Trains one network per view so that the outputs of paired rows correlate most.

    .. math:: \max_{f, g} \lVert L_1^{-1} \Sigma_{12} L_2^{-T} \rVert, \quad
        \Sigma_{12} = E[f(x)\,g(y)^T], \quad \Sigma_{11} = E[f(x)\,f(x)^T] = L_1 L_1^T

    over the rows of a batch, with centred outputs, a ridge on both covariances and all in float64. A linear CCA of
    the outputs of all training rows follows.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most min(last widths, n-1).
    layers : dict of str to list of int
        Widths of the layers by view; ``other`` stands for every view not named. Hidden layers are tanh, the last
        is sigmoid.
    dropout : float
        After every hidden layer.
    epochs : int
    min_steps : int
        Least number of steps to train for: on few rows it raises the epochs.
    batch : int
        Rows per step at most; all steps of an epoch have about as many. Below the width of the outputs only the
        ridge keeps covariances regular: a warning, and without a ridge an error.
    learning_rate : float
        Of RMSprop (decay .9).
    ridge : float
        r, relative to the mean of the covariance's diagonal; of the objective and of the closing CCA.
    norm : str
        trace: the sum of the canonical correlations. frobenius: the root of the sum of their squares, as in the
        author's code.
    seed : int
        Of weights, dropout and batches.

    Attributes
    ----------
    correlations_ : np.ndarray [shape=(k,), dtype=float64]
        Canonical correlations of the closing CCA on the training rows.

    References
    ----------
    Andrew, Arora, Bilmes, Livescu, "Deep canonical correlation analysis", ICML 2013, Eq. 10-13; the
    dissertation's sections 4.3.1 and 5.3.3.
    """

    def __init__(
        self,
        *,
        n_components: Annotated[int, Field(ge=1)] = 10,
        layers: Layers = LAYERS,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
        epochs: Annotated[int, Field(ge=1)] = 50,
        min_steps: Annotated[int, Field(ge=0)] = 300,
        batch: Annotated[int, Field(ge=2)] = 100,
        learning_rate: Annotated[float, Field(gt=0)] = 1e-3,
        ridge: Annotated[float, Field(ge=0)] = 1.0,
        norm: Norm = "trace",
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.n_components = n_components
        self.layers = layers
        self.dropout = dropout
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.ridge = ridge
        self.norm = norm

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return one_to_one(codes)


MODEL = DCCA
