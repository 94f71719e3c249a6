"""Columns of features: their mean and deviation, and how unequal their variances are."""

from __future__ import annotations

import numpy as np


def standardisation(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column; a constant column has deviation 1, so that it becomes zero.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d), dtype=any real]

    Returns
    -------
    mean, deviation : np.ndarray [shape=(d,), dtype=float64]
    """
    mean = array.mean(axis=0, dtype=np.float64)
    deviation = array.std(axis=0, dtype=np.float64)
    constant = (array == array[0]).all(axis=0)
    mean[constant] = array[0, constant]
    deviation[constant] = 1
    return mean, deviation


def real_rows(array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """List the rows of a view, or its frames without padding [shape=(n or number of frames, d)]."""
    if array.ndim == 2:
        return array
    real = np.full(len(array), array.shape[1]) if lengths is None else lengths
    rows: np.ndarray = array[np.arange(array.shape[1]) < real[:, None]]
    return rows


def inequality(rows: np.ndarray) -> float:
    """Divide the largest variance of a column by the smallest; constant columns do not count.

    Examples
    --------
    >>> inequality(np.array([[0.0, 0.0, 5.0], [1.0, 10.0, 5.0]]))
    100.0
    """
    varying = rows[:, (rows != rows[0]).any(axis=0)]
    variances = varying.var(axis=0, dtype=np.float64)
    return float(variances.max() / max(variances.min(), np.finfo(float).tiny)) if variances.size else 1.0
