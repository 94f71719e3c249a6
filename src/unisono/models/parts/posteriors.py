"""Methods that classify each view and compare the posteriors of two views."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Literal

import numpy as np

from unisono.errors import ConfigError
from unisono.models.base import Aligner, Positive
from unisono.models.parts.calibration import softmax


class PosteriorAligner(Aligner):
    r"""A method whose views have classifiers: the cosine of two views' embeddings is p . q, the chance of one class.

    With posteriors p(c|x), q(c|y) an item y is of the class of the query x with the probability
    :math:`\sum_c p_c q_c`. View v of V is embedded as :math:`[p, 0, ..., \sqrt{1 - |p|^2}, ..., 0]`, with the root in
    place v of V further columns, so that all embeddings have length 1 and the roots of two views never meet. In single
    precision the cosine is that of the posteriors to one part in ten million. Within one view it is
    :math:`p \cdot q + \sqrt{(1 - |p|^2) (1 - |q|^2)}`.
    """

    supervised = True

    @abc.abstractmethod
    def _posteriors(self, view: str, array: np.ndarray) -> np.ndarray:
        """Probabilities of the classes of some rows [shape=(n, C), dtype=float64]."""

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        views = sorted(self.widths_)
        return embed(self._posteriors(view, array), views.index(view), len(views))


class SemanticAligner(PosteriorAligner):
    """A method of semantic matching: each view's posteriors are its embedding.

    Parameters
    ----------
    similarity : str
        inner: the inner product of the posteriors, which is the probability that both items are of one class. cosine:
        their cosine, as published, which lets unsure items come first too often.
    penalty : float
        On the logistic regression's weights of standardised columns (or variates), against the sum of the training
        rows' log-losses: 1/C of scikit-learn.
    """

    similarity: Literal["inner", "cosine"] = "cosine"
    penalty: Positive = 1.0

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        if self.similarity == "cosine":
            return self._posteriors(view, array)
        return super()._transform(view, array, lengths)

    def _posteriors(self, view: str, array: np.ndarray) -> np.ndarray:
        return softmax(array @ self.arrays_[f"{view}.classifier"] + self.arrays_[f"{view}.bias"])


def check_varying(name: str, views: Mapping[str, np.ndarray]) -> None:
    """Raise `ConfigError` where a view says nothing, since all of its rows are equal."""
    for view, array in views.items():
        if (array == array[0]).all():
            raise ConfigError(f"{name}, view {view!r}: every column is constant; remove the view or repair it")


def embed(posteriors: np.ndarray, place: int, n_views: int) -> np.ndarray:
    """Embed posteriors for the cosine; see `PosteriorAligner`.

    Parameters
    ----------
    posteriors : np.ndarray [shape=(n, C), dtype=float64]
    place : int
        v, of the view.
    n_views : int
        V.

    Returns
    -------
    np.ndarray [shape=(n, C + V), dtype=float64]
        Rows of length 1.

    Examples
    --------
    >>> embed(np.array([[0.6, 0.0]]), 1, 2).tolist()
    [[0.6, 0.0, 0.0, 0.8]]
    """
    n, n_classes = posteriors.shape
    made = np.zeros((n, n_classes + n_views))
    made[:, :n_classes] = posteriors
    made[:, n_classes + place] = np.sqrt(np.maximum(1 - np.einsum("nc,nc->n", posteriors, posteriors), 0))
    return made


def logistic(rows: np.ndarray, classes: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Fit multinomial logistic regression.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d), dtype=float64]
    classes : np.ndarray [shape=(n,), dtype=int]
        From 0 to C-1, each at least once.
    penalty : float
        On half of the weights' squares, against the sum of log-losses.

    Returns
    -------
    weights : np.ndarray [shape=(d, C), dtype=float64]
    bias : np.ndarray [shape=(C,), dtype=float64]
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / penalty, max_iter=1000).fit(rows, classes)
    weights, bias = model.coef_.T, model.intercept_
    if weights.shape[1] == 1:  # Of two classes there is one regression: the second's logit less the first's.
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0, bias)
    return np.ascontiguousarray(weights), bias
