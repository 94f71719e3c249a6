"""Cosine similarities on which ties can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from unisono.errors import DataError

#: Size of a block of scores in memory.
BLOCK_BYTES = 64 * 2**20

#: Components of unit vectors are multiples of 2**-26, about the precision of float32 near 1, and a rest that is a
#: multiple of 2**-48.
_GRID, _FINE = 2.0**26, 2.0**48
#: Rows that are the same on the grid tie where their rests differ by less than this: rounding of the division by their
#: length.
_SAME = 2.0**-46


@dataclass(frozen=True)
class Unit:
    """Rows of unit length, whose dot products are exact sums whatever the order of rows, the blocking or the library.

    A matrix product may round the last bit differently for different positions in the matrix, so that identical rows
    need not tie. Here a row is a grid point g and a rest g', and a cosine (q g) + (q g' + q' g); q' g' is rounding.
    Partial sums of the first product are multiples of 2**-52 below 2, those of the others of 2**-74 below 2**-21 (in up
    to 4,096 dimensions): all have an exact float64.

    Attributes
    ----------
    grid : np.ndarray [shape=(n, d), dtype=float64]
        Multiples of 2**-26.
    rest : np.ndarray [shape=(n, d), dtype=float64]
        Multiples of 2**-48, at most 2**-27: what tells nearly collinear rows apart.
    """

    grid: np.ndarray
    rest: np.ndarray

    def __len__(self) -> int:
        return len(self.grid)

    def __getitem__(self, rows: Any) -> Unit:
        """Take some rows, in any order."""
        return Unit(self.grid[rows], self.rest[rows])

    def dot(self, other: Unit) -> np.ndarray:
        """Cosine of every row with every row [shape=(n, m), dtype=float64]."""
        fine = self.grid @ other.rest.T
        fine += self.rest @ other.grid.T
        fine += self.grid @ other.grid.T
        return fine

    def dot_rows(self, other: Unit) -> np.ndarray:
        """Cosine of row i with row i, the same as `dot` has [shape=(n,), dtype=float64]."""
        products = ((self.grid, other.rest), (self.rest, other.grid), (self.grid, other.grid))
        first, second, third = (np.einsum("nd,nd->n", *pair) for pair in products)
        cosines: np.ndarray = (first + second) + third
        return cosines


def check_matrix(embeddings: np.ndarray, *, where: str) -> np.ndarray:
    """Return embeddings as float64, or raise `DataError` where they are no matrix of finite numbers.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, d), dtype=any real]
    where : str
        ``"queries"`` or ``"gallery"``, for messages.

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float64]
    """
    array = np.asarray(embeddings)
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise DataError(f"{where}: expected numbers of shape (n, d), got {array.dtype} of shape {array.shape}")
    rows = array.astype(np.float64)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(f"{where}, row {row}: NaN or infinite value; an embedding must be finite")
    return rows


def unit_rows(embeddings: np.ndarray, *, where: str) -> Unit:
    """Scale rows to unit length.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, d), dtype=any real]
    where : str
        ``"queries"`` or ``"gallery"``, for messages.

    Returns
    -------
    Unit
        Rows that are equal but for their length are equal. A zero row stays zero: its cosine, which is undefined,
        counts as 0 with everything.

    Raises
    ------
    DataError
        Not a matrix of numbers, no row, or a value that is NaN or infinite.
    """
    rows = check_matrix(embeddings, where=where)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    # First by the largest entry, so that squares neither overflow nor vanish.
    rows /= np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1)
    grid = np.rint(rows * _GRID)
    rows -= grid / _GRID
    _unite(grid, rows)
    return Unit(grid / _GRID, np.rint(rows * _FINE) / _FINE)


def _unite(grid: np.ndarray, rest: np.ndarray) -> None:
    """Give rows that differ by their length alone, of those that are the same on the grid, one rest, in place."""
    # One number stands for a row: equal rows have equal ones.
    weights = np.random.default_rng(0).integers(2**62, size=grid.shape[1], dtype=np.int64) | 1
    _, codes, counts = np.unique(grid.astype(np.int64) @ weights, return_inverse=True, return_counts=True)
    twins = np.flatnonzero(counts[codes] > 1)
    if not len(twins):
        return
    twins = twins[np.argsort(codes[twins], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[twins], prepend=-1))
    least = np.minimum.reduceat(rest[twins], starts)
    base = np.repeat(least, np.diff(starts, append=len(twins)), axis=0)
    rest[twins] = base + np.rint((rest[twins] - base) / _SAME) * _SAME


def check_pair(queries: np.ndarray, gallery: np.ndarray) -> tuple[Unit, Unit]:
    """Return both as `unit_rows`, or raise `DataError` when their widths differ."""
    q, g = unit_rows(queries, where="queries"), unit_rows(gallery, where="gallery")
    widths = q.grid.shape[1], g.grid.shape[1]
    if widths[0] != widths[1]:
        raise DataError(f"queries are {widths[0]} wide, the gallery {widths[1]}; both must be embeddings in one space")
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
    return q.dot(g)


def inner_products(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Inner product of every query with every item of the gallery, on which ties can be trusted.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_queries, d), dtype=any real]
    gallery : np.ndarray [shape=(n_gallery, d), dtype=any real]

    Returns
    -------
    np.ndarray [shape=(n_queries, n_gallery), dtype=float64]
        Exact to about 2**-46 of d times the largest values of either side; the same for equal rows wherever they are.

    Raises
    ------
    DataError
        NaN or infinity, or rows of different widths.

    Examples
    --------
    >>> inner_products([[2.0, 0.5]], [[1.0, 0.0], [0.0, 3.0]]).tolist()
    [[2.0, 1.5]]
    """
    rows = {"queries": check_matrix(queries, where="queries"), "gallery": check_matrix(gallery, where="gallery")}
    widths = [array.shape[1] for array in rows.values()]
    if widths[0] != widths[1]:
        raise DataError(f"queries are {widths[0]} wide, the gallery {widths[1]}; an inner product needs one width")
    sides, exponent = [], 0
    for array in rows.values():
        # By a power of two, which rounds nothing: no row is then longer than one.
        power = int(np.frexp(np.abs(array).max())[1]) + math.ceil(math.log2(array.shape[1]) / 2)
        array = np.ldexp(array, -power)
        grid = np.rint(array * _GRID) / _GRID
        sides.append(Unit(grid, np.rint((array - grid) * _FINE) / _FINE))
        exponent += power
    return np.ldexp(sides[0].dot(sides[1]), exponent)


def score_blocks(queries: Unit, gallery: Unit) -> Iterator[tuple[int, np.ndarray]]:
    """Yield scores a block of queries at a time.

    Parameters
    ----------
    queries, gallery : Unit [n_queries and n_gallery rows]

    Yields
    ------
    start : int
        First query of the block.
    scores : np.ndarray [shape=(n_block, n_gallery), dtype=float64]
    """
    n_block = max(1, min(len(queries), BLOCK_BYTES // (8 * len(gallery))))
    for start in range(0, len(queries), n_block):
        yield start, queries[start : start + n_block].dot(gallery)
