"""Cluster-DCCA: deep canonical correlation over own pairs and pairs of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from unisono.models.parts.correlation import LAYERS, Layers, Norm, Pairs, PerceptronCorrelation, paired

if TYPE_CHECKING:
    import torch


class CDCCA(PerceptronCorrelation):
    r"""DCCA whose cross-covariance holds the pairs of one class, too.

    .. math:: \Sigma_{12} = \beta\,\Sigma_{own} + (1 - \beta)\,\Sigma_{class}

    where :math:`\Sigma_{own}` is the mean of :math:`f(x_i)\,g(y_i)^T` over the items' own pairs of a batch and
    :math:`\Sigma_{class}` that of :math:`f(x_i)\,g(y_j)^T` over the pairs of one class, from class sums.
    :math:`\Sigma_{11}, \Sigma_{22}` and the means weight an item by its pairs. The rest is `dcca`; the closing
    linear CCA has the same pairs.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most min(last widths, n-1).
    pairs : str
        Pairs that stand for a class. half: every item with its own partner and, in expectation, as many others as
        make half of its class (the dissertation adds 50 % of the pairs). all: every item with every item.
    beta : float
        Weight of own pairs beside those of the class, from 0 to 1. The author's code has .2, with all.
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
    Yu, Tang, Aizawa, Aizawa, "Category-based deep CCA for fine-grained venue discovery from multimodal data",
    TNNLS 30(4), 2019; the dissertation's section 5.3.3.
    """

    supervised = True

    def __init__(
        self,
        *,
        n_components: Annotated[int, Field(ge=1)] = 10,
        pairs: Literal["half", "all"] = "half",
        beta: Annotated[float, Field(ge=0, le=1)] = 0.0,
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
        self.pairs = pairs
        self.beta = beta
        self.layers = layers
        self.dropout = dropout
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.ridge = ridge
        self.norm = norm

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return paired(codes, pairs=self.pairs, beta=self.beta)


MODEL = CDCCA
