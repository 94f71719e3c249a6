"""How much of two embeddings correlates, on pairs that no training has seen."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from unisono.errors import DataError
from unisono.metrics._similarity import check_matrix


def total_correlation(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    r"""Sum up the correlations of two embeddings of the same items, in two ways.

    .. math:: \sum_k \operatorname{corr}(a_k, b_k), \qquad
              \lVert \Sigma_{aa}^{-1/2} \, \Sigma_{ab} \, \Sigma_{bb}^{-1/2} \rVert_*

    The first takes component k of one with component k of the other, as they are: 0 is expected of unrelated pairs. The
    second, the trace norm, is the sum of all canonical correlations of the pairs themselves: it may mix components, and
    so is large for few pairs (for n-1 components or more it is their number, whatever they hold).

    Parameters
    ----------
    one, other : np.ndarray [shape=(n, k), dtype=any real]
        Row i of both is the same item; held-out items, since on training items both are as high as the method can.

    Returns
    -------
    by_component : float
        A component that is constant in either has correlation 0.
    trace_norm : float
        Directions in which an embedding does not vary are left out.

    Raises
    ------
    DataError
        NaN or infinity, shapes that do not fit, or fewer than two pairs.

    References
    ----------
    Andrew, Arora, Bilmes, Livescu, "Deep canonical correlation analysis", ICML 2013, Eq. 10 (trace norm).

    Examples
    --------
    >>> by_component, trace_norm = total_correlation([[0, 1], [1, 0], [2, 2]], [[0, -1], [2, 0], [4, -2]])
    >>> round(by_component, 6), round(trace_norm, 6)
    (0.0, 2.0)
    """
    matrices = [check_matrix(array, where=where) for array, where in ((one, "one"), (other, "other"))]
    if matrices[0].shape != matrices[1].shape or len(matrices[0]) < 2:
        shapes = " and ".join(str(matrix.shape) for matrix in matrices)
        raise DataError(f"embeddings of shape {shapes}: expected two pairs or more, and as many components in both")
    bases, columns = [], []
    for array, matrix in zip((one, other), matrices, strict=True):
        varies = (matrix != matrix[0]).any(axis=0)
        centred = np.where(varies, matrix - matrix.mean(axis=0), 0)
        lengths = np.linalg.norm(centred, axis=0)
        columns.append(centred / np.where(lengths > 0, lengths, 1))
        U, S, _ = linalg.svd(columns[-1], full_matrices=False, check_finite=False)
        # What remains of a dependent column is rounding of the embeddings.
        single = np.asarray(array).dtype == np.float32
        rounding = np.finfo(np.float32 if single else np.float64).eps * max(matrix.shape)
        bases.append(U[:, rounding * max(S[0], 1) < S])
    by_component = float(np.sum(columns[0] * columns[1]))
    trace_norm = (
        float(linalg.svdvals(bases[0].T @ bases[1], check_finite=False).sum())
        if all(base.shape[1] for base in bases)
        else 0.0
    )
    return by_component, trace_norm
