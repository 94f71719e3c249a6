"""Supervised DCCA: deep canonical correlation of own pairs and of other pairs of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from unisono.models.parts.correlation import LAYERS, Layers, Norm, Pairs, PerceptronCorrelation, clusters

if TYPE_CHECKING:
    import torch


class SDCCA(PerceptronCorrelation):
    r"""DCCA whose cross-covariance also holds the pairs of different items of one class.

    .. math:: \Sigma_{12} = \sigma\,E_d[\Sigma_1(d)] + (1 - \sigma)\,E_d[\Sigma_2(d)], \quad
        \Sigma_2(d) = \frac{n_d^2\,\mu_f \mu_g^T - \sum_i f(x_i)\,g(y_i)^T}{n_d^2 - n_d}

    (Eq. 4.10-4.15): :math:`\Sigma_1(d)` is the mean over the training pairs of class d in a batch,
    :math:`\Sigma_2(d)` that over its pairs i != j, here from class sums, and :math:`E_d` the mean over classes; a
    class with one item in the batch has no :math:`\Sigma_2(d)`. :math:`\Sigma_{11}, \Sigma_{22}` and the means
    weight an item by its pairs. The rest is `dcca`; the closing linear CCA has the same pairs.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most min(last widths, n-1).
    sigma : float
        Weight of the training pairs, from 0 to 1. The text names no value; .2 is the author's code.
    extend : str
        Training pairs. none: every item with its own partner (S-DCCA). half: with half of the other view's items of
        its class, in expectation (S-DCCA-extend1). all: with all of them (S-DCCA-extend2).
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
    Zeng, Yu, Oyama, "Audio-visual embedding for cross-modal music video retrieval through supervised deep CCA",
    ISM 2018; the dissertation's Eq. 4.10-4.15.
    """

    supervised = True

    def __init__(
        self,
        *,
        n_components: Annotated[int, Field(ge=1)] = 10,
        sigma: Annotated[float, Field(ge=0, le=1)] = 0.2,
        extend: Literal["none", "half", "all"] = "none",
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
        self.sigma = sigma
        self.extend = extend
        self.layers = layers
        self.dropout = dropout
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.ridge = ridge
        self.norm = norm

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return clusters(codes, sigma=self.sigma, extend=self.extend)


MODEL = SDCCA
