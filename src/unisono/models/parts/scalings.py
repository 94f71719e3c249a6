"""Scalings of a view's columns: what a classifier may see in place of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import linalg

from unisono.models.parts.columns import standardisation
from unisono.models.parts.linear import BLOCK

Kind = Literal["none", "columns", "whitened", "roots"]
#: Added to the variances of principal axes, as a share of their mean, before they are whitened.
WHITENING = 0.1


class Scaling(NamedTuple):
    """Rows x become ``(x - mean) * weights``, or ``(x - mean) @ weights`` where the weights are a matrix.

    Attributes
    ----------
    mean : np.ndarray [shape=(d,), dtype=float64]
    weights : np.ndarray [shape=(d,) or (d, k), dtype=float64]
    roots : bool
        Whether square roots are taken first; a value below 0 counts as 0.
    """

    mean: np.ndarray
    weights: np.ndarray
    roots: bool

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Scale some rows [shape=(n, d) or (n, k), dtype=float64]."""
        if self.roots:
            rows = np.sqrt(np.maximum(rows, 0), dtype=np.float64)
        made: np.ndarray = np.subtract(rows, self.mean, dtype=np.float64)
        if self.weights.ndim == 2:
            return made @ self.weights
        made *= self.weights
        return made


def scale(array: np.ndarray, kind: Kind) -> Scaling | None:
    """Fit a scaling.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d), dtype=any real]
        Training rows.
    kind : str
        none: centred, and divided by one number for all columns. columns: every column gets deviation 1. whitened:
        principal axes, each divided by the root of its variance plus a tenth of their mean variance. roots: as
        columns, of the square roots.

    Returns
    -------
    Scaling or None
        None where there are no roots, since a value is below 0. A constant column becomes zero.
    """
    if kind == "roots":
        if (array < 0).any():
            return None
        return standardised(np.sqrt(array, dtype=np.float64))._replace(roots=True)
    columns = standardised(array)
    if kind == "columns":
        return columns
    mean = columns.mean
    if kind == "none":
        # Of constant columns the deviation is 1 by convention.
        variances = np.where((array == array[0]).all(axis=0), 0, columns.weights**-2)
        return columns._replace(weights=np.full(len(mean), 1 / np.sqrt(variances.mean() or 1)))
    variances, axes = _principal(array, mean)
    return columns._replace(weights=axes / np.sqrt(variances + WHITENING * (variances.mean() or 1)))


def standardised(array: np.ndarray) -> Scaling:
    """Fit the scaling after which every column has mean 0 and deviation 1, or is zero [shape=(n, d)]."""
    mean, deviation = standardisation(array)
    return Scaling(mean, 1 / deviation, roots=False)


def _principal(array: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances of the principal axes, and the axes [shape=(d, min(n, d))]."""
    n, d = array.shape
    if n < d:
        _, S, Vt = linalg.svd(np.subtract(array, mean, dtype=np.float64), full_matrices=False, check_finite=False)
        return S**2 / n, Vt.T
    covariance = np.zeros((d, d))
    for start in range(0, n, BLOCK):
        block = np.subtract(array[start : start + BLOCK], mean, dtype=np.float64)
        covariance += block.T @ block
    variances, axes = linalg.eigh(covariance / n, overwrite_a=True, check_finite=False)
    return np.maximum(variances, 0), axes
