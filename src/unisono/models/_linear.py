"""Covariances, whitening and signs for the linear methods, in float64."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from unisono.errors import ConfigError


def centre(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtract the column means; a constant column becomes exactly zero.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d), dtype=any real]

    Returns
    -------
    centred : np.ndarray [shape=(n, d), dtype=float64]
    mean : np.ndarray [shape=(d,), dtype=float64]
    """
    mean = array.mean(axis=0, dtype=np.float64)
    # The mean of equal numbers may be off by a rounding error, which whitening would blow up.
    constant = (array == array[0]).all(axis=0)
    mean[constant] = array[0, constant]
    return np.subtract(array, mean, dtype=np.float64), mean


def cholesky(covariance: np.ndarray, ridge: float, *, where: str) -> np.ndarray:
    """Factorise a covariance with a ridge relative to its own scale, C + ridge * mean(diag C) * I = L L^T.

    Parameters
    ----------
    covariance : np.ndarray [shape=(d, d), dtype=float64]
        Not changed.
    ridge : float
    where : str
        Method and view, for the message.

    Returns
    -------
    np.ndarray [shape=(d, d), dtype=float64]
        L, lower triangular.

    Raises
    ------
    ConfigError
        The sum is not positive definite.
    """
    regularised = covariance.copy()
    regularised[np.diag_indices_from(regularised)] += ridge * np.mean(np.diag(covariance))
    message = (
        f"{where}: the covariance is singular with ridge {ridge} (constant or dependent columns, or fewer "
        "rows than columns); raise ridge, or remove such columns"
    )
    try:
        factor: np.ndarray = linalg.cholesky(regularised, lower=True, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError:
        raise ConfigError(message) from None
    # Rounding can let a singular matrix through; what is left of a dependent column then is rounding error.
    if ridge == 0 and (np.diag(factor) <= 1e-7 * np.sqrt(np.diag(covariance))).any():
        raise ConfigError(message)
    return factor


def fix_signs(*weights: np.ndarray) -> None:
    """Flip columns of all matrices alike, in place, so that the first one's largest entries are positive."""
    first = weights[0]
    signs = np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    signs[signs == 0] = 1
    for matrix in weights:
        matrix *= signs
