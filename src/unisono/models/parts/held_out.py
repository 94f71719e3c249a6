"""Linear classifiers with the scores that every row gets from what is fitted to the others: ridge regression, LDA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import blas

from unisono.models.parts.linear import BLOCK

#: Added to the diagonal of a covariance of standardised columns, so that dependent ones do no harm.
JITTER = 1e-9
#: Least that is left of a row's share in its own fit; less is rounding.
_LEAST = 1e-9


class Classifier(NamedTuple):
    """Scores of classes, ``features @ weights + bias``.

    Attributes
    ----------
    weights : np.ndarray [shape=(m, C), dtype=float64]
    bias : np.ndarray [shape=(C,), dtype=float64]
    held_out : np.ndarray [shape=(n, C), dtype=float64]
        The scores of each training row by the same fitted to the others.
    """

    weights: np.ndarray
    bias: np.ndarray
    held_out: np.ndarray


def one_hot_ridges(
    features: np.ndarray, classes: np.ndarray, n_classes: int, penalties: Sequence[float]
) -> Iterator[tuple[float, Classifier]]:
    r"""Fit ridge regressions to the indicators of classes, for several penalties by one eigendecomposition.

    .. math:: W = (\Phi^T \Phi + \lambda I)^{-1} \Phi^T (Y - \mu), \quad
              F_{-i} = \mu + \frac{f_i - h_i (y_i - \mu)}{1 - h_i}, \quad
              h_i = \phi_i^T (\Phi^T \Phi + \lambda I)^{-1} \phi_i + \frac1n

    with centred features :math:`\Phi`, indicators Y of mean :math:`\mu` and fitted values f: held-out scores are exact,
    those of n further fits. The mean is not penalised.

    Parameters
    ----------
    features : np.ndarray [shape=(n, m), dtype=float64]
        They are overwritten.
    classes : np.ndarray [shape=(n,), dtype=int]
        From 0 to C-1.
    n_classes : int
        C.
    penalties : sequence of float
        Values of :math:`\lambda`, above 0.

    Yields
    ------
    penalty : float
    Classifier
    """
    n = len(features)
    centre = features.mean(axis=0)
    features -= centre
    products = blas.dsyrk(1.0, features.T, lower=True)
    values, axes = linalg.eigh(products, lower=True, overwrite_a=True, check_finite=False)
    values = np.maximum(values, 0)
    shrunk = 1 / (values[:, None] + np.asarray(penalties))
    leverages = np.empty((n, len(penalties)))
    for start in range(0, n, BLOCK):
        part = slice(start, start + BLOCK)
        features[part] = features[part] @ axes
        leverages[part] = features[part] ** 2 @ shrunk
    Y = np.zeros((n, n_classes))
    Y[np.arange(n), classes] = 1
    mean = Y.mean(axis=0)
    Y -= mean
    right = features.T @ Y
    for place, penalty in enumerate(penalties):
        inner = shrunk[:, place, None] * right
        h = (leverages[:, place] + 1 / n)[:, None]
        held_out = mean + (features @ inner - h * Y) / np.maximum(1 - h, _LEAST)
        weights = axes @ inner
        yield penalty, Classifier(weights, mean - centre @ weights, held_out)


def discriminant(rows: np.ndarray, classes: np.ndarray, n_classes: int) -> Classifier:
    r"""Fit linear discriminant analysis whose covariances are shrunk by Ledoit and Wolf's rule.

    .. math:: F_k = x^T \Sigma^{-1} m_k - \tfrac12 m_k^T \Sigma^{-1} m_k + \log \pi_k, \quad
              \Sigma = \sum_k \pi_k \, D_k \big[(1 - \gamma_k) R_k + \gamma_k I\big] D_k

    with the class's mean m, share :math:`\pi`, deviations D, correlations R and shrinkage :math:`\gamma`: what
    scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")`` computes of columns that vary; the
    others are left out.

    Held-out scores keep :math:`\gamma` and the shrinkage's target and leave out the row from everything else: its
    class's mean, the shares, and by :math:`\Sigma_{-i} = \frac{n}{n-1} (\Sigma - w u_i u_i^T)`,
    :math:`w = \frac{(1 - \gamma_c) n_c}{n (n_c - 1)}`, :math:`u_i = x_i - m_c`, the covariance, whose inverse is known
    by Sherman and Morrison. What is kept changes by one part in n_c, n fits would cost n times as much: the log-loss
    comes out lower than theirs, by 1 % with 320 rows of 128 columns and ten classes, by 4 % with 120 of 60.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d), dtype=float64]
        With standardised columns, of which one varies at least.
    classes : np.ndarray [shape=(n,), dtype=int]
        From 0 to C-1, each at least once.
    n_classes : int
        C.

    Returns
    -------
    Classifier
        The only row of a class, held out, has for that class the least score that it has for any.
    """
    varying = (rows != rows[0]).any(axis=0)
    if not varying.all():
        found = discriminant(rows[:, varying], classes, n_classes)
        weights = np.zeros((len(varying), n_classes))
        weights[varying] = found.weights
        return found._replace(weights=weights)
    n, d = rows.shape
    sizes = np.bincount(classes, minlength=n_classes)
    means = np.stack([rows[classes == c].mean(axis=0) for c in range(n_classes)])
    shrinkage = np.zeros(n_classes)
    covariance = np.zeros((d, d))
    for c in np.flatnonzero(sizes > 1):
        shrunk, shrinkage[c] = _shrunk(rows[classes == c])
        covariance += sizes[c] / n * shrunk
    covariance[np.diag_indices(d)] += JITTER
    factor = linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
    M = linalg.solve_triangular(factor, means.T, lower=True, check_finite=False).T
    weights = linalg.solve_triangular(factor, M.T, lower=True, trans="T", check_finite=False)
    bias = -0.5 * np.einsum("kd,kd->k", M, M) + np.log(sizes / n)

    held_out = np.empty((n, n_classes))
    removed = (1 - shrinkage) * sizes / (n * np.maximum(sizes - 1, 1))
    for start in range(0, n, BLOCK):
        own = classes[start : start + BLOCK]
        places = np.arange(len(own)), own
        X = linalg.solve_triangular(factor, rows[start : start + BLOCK].T, lower=True, check_finite=False).T
        U = X - M[own]
        u = np.einsum("nd,nd->n", U, U)[:, None]
        # v = x - m_k of every class, m_c without the row: products v P v and u P v.
        squares = np.einsum("nd,nd->n", X, X)[:, None] - 2 * X @ M.T + np.einsum("kd,kd->k", M, M)
        cross = np.einsum("nd,nd->n", U, X)[:, None] - U @ M.T
        larger = sizes[own] / np.maximum(sizes[own] - 1, 1)
        squares[places], cross[places] = u[:, 0] * larger**2, u[:, 0] * larger
        w = removed[own][:, None]
        distances = (n - 1) / n * (squares + w * cross**2 / np.maximum(1 - w * u, _LEAST))
        left = sizes - (np.arange(n_classes) == own[:, None])
        scores = -0.5 * distances + np.log(np.maximum(left, 1) / (n - 1))
        alone = sizes[own] == 1
        scores[places] = np.where(alone, scores.min(axis=1), scores[places])
        held_out[start : start + BLOCK] = scores
    return Classifier(weights, bias, held_out)


def _shrunk(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Covariance of a class, shrunk in the units of its own columns, and by how much."""
    from sklearn.covariance import ledoit_wolf

    from unisono.models.parts.columns import standardisation

    mean, deviation = standardisation(rows)
    correlation, shrinkage = ledoit_wolf((rows - mean) / deviation, assume_centered=True)
    return deviation[:, None] * correlation * deviation, float(shrinkage)
