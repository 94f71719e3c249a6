"""Covariances, whitening and signs for the linear methods, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import blas

from unisono.errors import ConfigError
from unisono.models.base import Aligner, Count

#: Rows converted to float64 at a time, so that no copy of a whole view is made.
BLOCK = 1024
#: Widest matrix of which all singular vectors are computed; of a wider one only those asked for.
DENSE = 512
#: Singular values below this fraction of the largest are rounding errors of zero.
NOTHING = 1e-10

#: From rows of a view, or of its features.
Map = Callable[[np.ndarray], np.ndarray]


class LinearAligner(Aligner):
    """A method that projects the rows of a view: ``(x - arrays_["<view>.mean"]) @ arrays_["<view>.weights"]``.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most the width of the narrowest view and n-1.
    """

    n_components: Count = 10

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return project(self.arrays_, view, array)


class CanonicalAligner(Aligner):
    """A method of two views whose components are canonical variates.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most the width of the narrowest view and n-1.
    """

    n_views = 2
    correlates = True

    n_components: Count = 10

    @property
    def correlations_(self) -> np.ndarray:
        """Canonical correlations of the kept components, from the largest [shape=(k,), dtype=float64]."""
        return self.arrays_["correlations"]


def project(arrays: Mapping[str, np.ndarray], view: str, array: np.ndarray) -> np.ndarray:
    """Centre the rows of a view and project them.

    Parameters
    ----------
    arrays : mapping of str to np.ndarray
        ``<view>.mean`` [shape=(d,)] and ``<view>.weights`` [shape=(d, k)].
    view : str
    array : np.ndarray [shape=(m, d), dtype=any real]

    Returns
    -------
    np.ndarray [shape=(m, k), dtype=float64]
    """
    projected: np.ndarray = np.subtract(array, arrays[f"{view}.mean"], dtype=np.float64) @ arrays[f"{view}.weights"]
    return projected


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
        Its lower triangle counts; it is not changed.
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
    regularised = covariance.copy(order="K")
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


@dataclass(frozen=True)
class Covariances:
    """Second moments of two views around their weighted means.

    Attributes
    ----------
    means : tuple of np.ndarray [shape=(d,), dtype=float64]
        Sum of w_i x_i.
    within : tuple of np.ndarray [shape=(d, d), dtype=float64]
        Sum of w_i x_i x_i^T of either view, centred; the lower triangle.
    own : np.ndarray [shape=(d_x, d_y), dtype=float64]
        Mean of x_i y_i^T over all items, centred.
    sums : tuple of np.ndarray [shape=(C, d), dtype=float64]
        Sums of the centred rows of every class.
    """

    means: tuple[np.ndarray, np.ndarray]
    within: tuple[np.ndarray, np.ndarray]
    own: np.ndarray
    sums: tuple[np.ndarray, np.ndarray]


def covariances(
    views: tuple[np.ndarray, np.ndarray],
    *,
    maps: tuple[Map, Map] = (np.asarray, np.asarray),
    weights: np.ndarray | None = None,
    classes: np.ndarray | None = None,
) -> Covariances:
    """Sum up two views in one pass, a block of rows at a time: memory does not grow with the rows.

    Parameters
    ----------
    views : tuple of np.ndarray [shape=(n, d), dtype=any real]
        Paired rows.
    maps : tuple of callable
        What is applied to the rows of either view first.
    weights : np.ndarray [shape=(n,), dtype=float64], optional
        w, with sum 1; 1/n by default.
    classes : np.ndarray [shape=(n,), dtype=int], optional
        From 0; all items are one class by default.

    Returns
    -------
    Covariances
    """
    n = len(views[0])
    w = np.full(n, 1 / n) if weights is None else weights
    members = np.zeros(n, dtype=np.intp) if classes is None else classes
    # Moments around a point near the mean, moved to the mean afterwards.
    shifts = [near_mean(function(view[:BLOCK])) for function, view in zip(maps, views, strict=True)]
    widths = [len(shift) for shift in shifts]
    buffers = [np.empty((min(BLOCK, n), width)) for width in widths]
    within = [np.zeros((width, width), order="F") for width in widths]
    own = np.zeros((widths[0], widths[1]), order="F")
    # Columns: the plain sum, the weighted sum, the sum of each class.
    totals = [np.zeros((width, 2 + members.max() + 1), order="F") for width in widths]
    for start in range(0, n, BLOCK):
        part = slice(start, min(start + BLOCK, n))
        rows = part.stop - start
        blocks = []
        for function, view, shift, buffer in zip(maps, views, shifts, buffers, strict=True):
            blocks.append(np.subtract(function(view[part]), shift, out=buffer[:rows], dtype=np.float64))
        own = blas.dgemm(1.0, blocks[0].T, blocks[1].T, beta=1.0, c=own, trans_b=True, overwrite_c=True)
        kinds = np.zeros((rows, totals[0].shape[1]))
        kinds[:, 0], kinds[:, 1], kinds[np.arange(rows), 2 + members[part]] = 1, w[part], 1
        for index, block in enumerate(blocks):
            totals[index] = blas.dgemm(1.0, block.T, kinds.T, beta=1.0, c=totals[index], trans_b=True, overwrite_c=True)
            if weights is not None:
                block *= np.sqrt(w[part])[:, None]
            within[index] = blas.dsyrk(1.0, block.T, beta=1.0, c=within[index], lower=True, overwrite_c=True)
    away = [total[:, 1] for total in totals]
    plain = [total[:, 0] / n for total in totals]
    for matrix, delta in zip(within, away, strict=True):
        if weights is None:
            matrix /= n
        matrix -= np.outer(delta, delta)
    own /= n
    own += np.outer(away[0] - plain[0], away[1] - plain[1]) - np.outer(plain[0], plain[1])
    counts = np.bincount(members)
    sums = [(total[:, 2:] - np.outer(delta, counts)).T for total, delta in zip(totals, away, strict=True)]
    return Covariances(
        means=(shifts[0] + away[0], shifts[1] + away[1]),
        within=(within[0], within[1]),
        own=own,
        sums=(sums[0], sums[1]),
    )


def canonical(L1: np.ndarray, L2: np.ndarray, cross: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Solve CCA given the factors of both covariances and the cross-covariance.

    .. math:: L_1^{-1} \Sigma_{12} L_2^{-T} = U S V^T, \quad A = L_1^{-T} U_k, \quad B = L_2^{-T} V_k

    Parameters
    ----------
    L1, L2 : np.ndarray [shape=(d, d), dtype=float64]
        From `cholesky`.
    cross : np.ndarray [shape=(d_x, d_y), dtype=float64]
        Sigma_12.
    k : int

    Returns
    -------
    correlations : np.ndarray [shape=(k,), dtype=float64]
        Falling.
    A, B : np.ndarray [shape=(d, k), dtype=float64]
        Signs as `fix_signs` leaves them.
    """
    U, S, V = leading(_whiten(L1, cross, L2), k)
    return S, *_weights(L1, U, L2, V)


def class_canonical(
    L1: np.ndarray, L2: np.ndarray, found: Covariances, n_pairs: float, k: int, *, own_pairs: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Solve CCA over all pairs of items of one class, from class sums.

    The cross-covariance :math:`\frac{1}{L} \sum_c s_x^c (s_y^c)^T` has at most C-1 singular values above zero.
    Components beyond them are those that correlate the items' own pairs most among what is uncorrelated with
    the first ones: the limit of ever less weight on own pairs, so that their order does not depend on
    rounding. Their correlation is 0, and without `own_pairs` so are their weights.

    Parameters
    ----------
    L1, L2 : np.ndarray [shape=(d, d), dtype=float64]
        From `cholesky`.
    found : Covariances
    n_pairs : float
        L.
    k : int
    own_pairs : bool
        Whether components beyond those of the classes follow the items' own pairs.

    Returns
    -------
    correlations, A, B
        As from `canonical`.
    """
    s_x, s_y = found.sums
    P, Q = (_solve(L, s.T / np.sqrt(n_pairs)) for L, s in ((L1, s_x), (L2, s_y)))
    (P, R1), (Q, R2) = (linalg.qr(matrix, mode="economic", check_finite=False) for matrix in (P, Q))
    U, S, Vt = linalg.svd(R1 @ R2.T, check_finite=False)
    most = min(k, len(s_x) - 1)
    rank = int(np.sum(S[:most] > NOTHING * S[0]))
    U, S, V = P @ U[:, :rank], np.concatenate([S[:rank], np.zeros(k - rank)]), Q @ Vt[:rank].T
    if rank < k and not own_pairs:
        U, V = (np.pad(matrix, ((0, 0), (0, k - rank))) for matrix in (U, V))
    elif rank < k:
        rest_x, rest_y = (linalg.qr(matrix, check_finite=False)[0][:, rank:] for matrix in (U, V))
        more_x, _, more_y = leading(rest_x.T @ _whiten(L1, found.own, L2) @ rest_y, k - rank)
        U, V = np.hstack([U, rest_x @ more_x]), np.hstack([V, rest_y @ more_y])
    return S, *_weights(L1, U, L2, V)


def near_mean(rows: np.ndarray) -> np.ndarray:
    """Mean of some rows; of a constant column its value, so that it becomes exactly zero."""
    mean: np.ndarray = rows.mean(axis=0, dtype=np.float64)
    constant = (rows == rows[0]).all(axis=0)
    mean[constant] = rows[0, constant]
    return mean


def _solve(L: np.ndarray, matrix: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    solved: np.ndarray = linalg.solve_triangular(
        L, matrix, lower=True, trans="T" if transposed else "N", check_finite=False
    )
    return solved


def _whiten(L1: np.ndarray, cross: np.ndarray, L2: np.ndarray) -> np.ndarray:
    return _solve(L2, _solve(L1, cross).T).T


def _weights(L1: np.ndarray, U: np.ndarray, L2: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    A, B = _solve(L1, U, transposed=True), _solve(L2, V, transposed=True)
    fix_signs(A, B)
    return A, B


def leading(matrix: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k largest singular values with their vectors: U, S, V."""
    if min(matrix.shape) <= max(DENSE, 4 * k):
        U, S, Vt = linalg.svd(matrix, full_matrices=False, check_finite=False)
    else:
        # A fixed start makes the iteration deterministic.
        U, S, Vt = sparse.linalg.svds(matrix, k, v0=np.ones(min(matrix.shape)))
        U, S, Vt = U[:, ::-1], S[::-1], Vt[::-1]
    return U[:, :k], S[:k], Vt[:k].T


def unbiased(found: Covariances, n_items: int) -> Covariances:
    """Divide second moments by n-1 in place of n."""
    factor = n_items / (n_items - 1)
    first, second = (factor * within for within in found.within)
    return replace(found, within=(first, second), own=factor * found.own)


def closed_cca(
    name: str, views: Mapping[str, np.ndarray], n_components: int, ridge: float
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Solve CCA of two views in closed form (`unisono.models.cca` has the formula).

    Parameters
    ----------
    name : str
        The method, for messages.
    views : mapping of str to np.ndarray [shape=(n, d), dtype=any real]
        Two.
    n_components : int
        k.
    ridge : float
        Relative to the mean of each covariance's diagonal.

    Returns
    -------
    means : tuple of np.ndarray [shape=(d,), dtype=float64]
    correlations : np.ndarray [shape=(k,), dtype=float64]
    A, B : np.ndarray [shape=(d, k), dtype=float64]
        Weights of the first and the second view.

    Raises
    ------
    ConfigError
        A covariance is singular.
    """
    x, y = views.values()
    found = unbiased(covariances((x, y)), len(x))
    L1, L2 = (
        cholesky(within, ridge, where=f"{name}, view {view!r}")
        for view, within in zip(views, found.within, strict=True)
    )
    return found.means, *canonical(L1, L2, found.own, n_components)
