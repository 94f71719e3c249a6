"""Cosine similarities on which ties can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unisono.errors import DataError

#: Size of a block of scores in memory.
BLOCK_BYTES = 64 * 2**20

#: Components of unit vectors are rounded to multiples of 2**-26: about the precision of float32 near 1.
_GRID = 2.0**26


def unit_rows(embeddings: np.ndarray, *, where: str) -> np.ndarray:
    """Scale rows to unit length, on a grid that makes dot products exact.

    A matrix product may round the last bit differently for different positions in the matrix, so that
    identical rows need not tie. Here each component is a multiple of 2**-26; every partial sum of a dot
    product of two unit vectors is then a multiple of 2**-52 below 2 and has an exact float64. The scores are
    exact whatever the order of rows, the blocking or the library.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, d), dtype=any real]
    where : str
        ``"queries"`` or ``"gallery"``, for messages.

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float64]
        A zero row stays zero: its cosine, which is undefined, counts as 0 with everything.

    Raises
    ------
    DataError
        Not a matrix of numbers, no row, or a value that is NaN or infinite.
    """
    array = np.asarray(embeddings)
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise DataError(f"{where}: expected numbers of shape (n, d), got {array.dtype} of shape {array.shape}")
    rows = array.astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():
        row = int(np.argmin(np.isfinite(largest[:, 0])))
        raise DataError(f"{where}, row {row}: NaN or infinite value; an embedding must be finite")
    # First by the largest entry, so that squares neither overflow nor vanish.
    rows /= np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1)
    rows *= _GRID
    np.rint(rows, out=rows)
    rows /= _GRID
    return rows


def check_pair(queries: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as `unit_rows`, or raise `DataError` when their widths differ."""
    q, g = unit_rows(queries, where="queries"), unit_rows(gallery, where="gallery")
    if q.shape[1] != g.shape[1]:
        raise DataError(
            f"queries are {q.shape[1]} wide, the gallery {g.shape[1]}; both must be embeddings in one space"
        )
    return q, g


def similarities(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Cosine of every query with every item of the gallery, on which ties can be trusted.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_queries, d), dtype=any real]
    gallery : np.ndarray [shape=(n_gallery, d), dtype=any real]

    Returns
    -------
    np.ndarray [shape=(n_queries, n_gallery), dtype=float64]

    Raises
    ------
    DataError
        NaN or infinity, or embeddings of different widths.

    Examples
    --------
    >>> similarities([[2.0, 0.0]], [[1.0, 0.0], [0.0, 3.0], [0.0, 0.0]]).tolist()
    [[1.0, 0.0, 0.0]]
    """
    q, g = check_pair(queries, gallery)
    return q @ g.T


def score_blocks(queries: np.ndarray, gallery: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield scores a block of queries at a time.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_queries, d), dtype=float64]
    gallery : np.ndarray [shape=(n_gallery, d), dtype=float64]
        Both from `unit_rows`.

    Yields
    ------
    start : int
        First query of the block.
    scores : np.ndarray [shape=(n_block, n_gallery), dtype=float64]
        Overwritten by the next block.
    """
    n_block = max(1, min(len(queries), BLOCK_BYTES // (8 * len(gallery))))
    buffer = np.empty((n_block, len(gallery)))
    for start in range(0, len(queries), n_block):
        block = queries[start : start + n_block]
        yield start, np.matmul(block, gallery.T, out=buffer[: len(block)])
