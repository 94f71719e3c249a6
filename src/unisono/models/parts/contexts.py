"""Rows of sequences with their neighbours side by side, and second moments of these without listing them.

**Conventions.** A sequence has T rows; the *context* of row t is the rows t - c, ..., t + c one after the other
(w = 2c + 1 of them), zeros beyond the ends. Everything is float64 and goes through the items a block at a time, so that
memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import linalg

from unisono.errors import ConfigError, DataError
from unisono.models.parts.columns import real_rows
from unisono.models.parts.linear import NOTHING, fix_signs, near_mean

#: Numbers of a block of contexts.
BLOCK = 2**21
#: A column of which less than this part of the variance is left by centring its items is constant in each.
CONSTANT = 1e-20


class Sequences(NamedTuple):
    """The rows of one view.

    Attributes
    ----------
    array : np.ndarray [shape=(n, T, d), dtype=any real]
    lengths : np.ndarray [shape=(n,), dtype=int64] or None
        Real rows of each item; all T by default.
    centred : bool
        Whether each item's mean over its real rows is subtracted from them.
    """

    array: np.ndarray
    lengths: np.ndarray | None
    centred: bool

    def block(self, items: slice, shift: np.ndarray) -> np.ndarray:
        """Take some items around a point, padding as zeros [shape=(b, T, d), dtype=float64]."""
        rows = np.subtract(self.array[items], shift, dtype=np.float64)
        lengths = None if self.lengths is None else self.lengths[items]
        real = None if lengths is None else (np.arange(rows.shape[1]) < lengths[:, None])[:, :, None]
        if real is not None:
            rows *= real
        if self.centred:
            rows -= rows.sum(axis=1, keepdims=True) / (rows.shape[1] if lengths is None else lengths[:, None, None])
            if real is not None:
                rows *= real
        return rows


def blocks(n_items: int, size: int) -> Iterator[slice]:
    """Divide items into blocks of at most `BLOCK` numbers, `size` an item."""
    step = max(1, BLOCK // size)
    for start in range(0, n_items, step):
        yield slice(start, min(start + step, n_items))


def standardiser(sequences: Sequences, widest: int, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Standardise the columns over all real rows; where there are more than `widest`, turn them into as many by PCA.

    Parameters
    ----------
    sequences : Sequences
    widest : int
    where : str
        Method and view, for the message.

    Returns
    -------
    mean : np.ndarray [shape=(d,), dtype=float64]
    columns : np.ndarray [shape=(d, k), dtype=float64]
        ``(x - mean) @ columns`` has k = min(d, widest) columns, by PCA fewer where the rest has no variance. A column
        that never varies becomes zero.

    Raises
    ------
    ConfigError
        No column varies.
    DataError
        Values whose squares are infinite.
    """
    n_items, n_rows, width = sequences.array.shape
    first = next(blocks(n_items, n_rows * width))
    lengths = sequences.lengths
    shift = near_mean(real_rows(sequences.array[first], None if lengths is None else lengths[first]))
    n = n_items * n_rows if lengths is None else int(lengths.sum())
    total, raw, second = np.zeros(width), np.zeros(width), np.zeros((width, width))
    with np.errstate(over="ignore", invalid="ignore"):
        for items in blocks(n_items, n_rows * width):
            flat = sequences.block(items, shift).reshape(-1, width)
            if sequences.centred:
                raw += (sequences._replace(centred=False).block(items, shift) ** 2).sum(axis=(0, 1))
            total += flat.sum(axis=0)
            second += flat.T @ flat
        mean = total / n
        covariance = second / n - np.outer(mean, mean)
    variances = np.diag(covariance).copy()
    if not np.isfinite(covariance).all():
        raise DataError(f"{where}: values are so large that their squares are infinite; divide them by a constant")
    if sequences.centred:
        variances[variances <= CONSTANT * raw / n] = 0
    if not (variances > 0).any():
        within = " within its items" if sequences.centred else ""
        raise ConfigError(f"{where}: every column is constant{within}; remove the view or repair it")
    deviations = np.sqrt(np.maximum(variances, 0))
    scales = np.divide(1, deviations, out=np.zeros(width), where=deviations > 0)
    if width <= widest:
        return shift + mean, np.diag(scales)
    values, vectors = linalg.eigh(
        covariance * np.outer(scales, scales), subset_by_index=(width - widest, width - 1), check_finite=False
    )
    vectors = vectors[:, values > NOTHING * values[-1]][:, ::-1].copy()
    fix_signs(vectors)
    return shift + mean, scales[:, None] * vectors


def padded(rows: np.ndarray, repeats: int, context: int) -> np.ndarray:
    """Repeat rows, and put c rows of zeros before and after [shape=(b, T + 2c, k)]."""
    if repeats > 1:
        rows = np.repeat(rows, repeats, axis=1)
    return np.pad(rows, ((0, 0), (context, context), (0, 0))) if context else rows


def windows(rows: np.ndarray, context: int) -> np.ndarray:
    """List the contexts of padded rows [shape=(b * T, w * k)]."""
    n, length, width = rows.shape
    w = 2 * context + 1
    views = np.lib.stride_tricks.sliding_window_view(rows, w, axis=1)
    return views.transpose(0, 1, 3, 2).reshape(n * (length - w + 1), w * width)


class Moments(NamedTuple):
    """Sums over pairs of contexts.

    Attributes
    ----------
    n : int
        Pairs.
    sums : tuple of np.ndarray [shape=(w * k,), dtype=float64]
        Of either view.
    products : tuple of np.ndarray [shape=(w * k_a, w * k_b), dtype=float64]
        Of the first view with itself, of the second with itself, of the first with the second.
    """

    n: int
    sums: tuple[np.ndarray, np.ndarray]
    products: tuple[np.ndarray, np.ndarray, np.ndarray]


class Sums:
    r"""Sums of products of contexts, from those that begin with a row's first neighbour.

    With :math:`S_{jk} = \sum_t x_{t+j} y_{t+k}^T` over the T rows of padded sequences, a step along the diagonal
    changes only what stands at the ends: :math:`S_{j+1,k+1} = S_{jk} - x_j y_k^T + x_{T+j} y_{T+k}^T`. So only the
    first row and the first column of blocks are summed over all rows, 2w - 1 of w^2.

    Parameters
    ----------
    context : int
        c.
    widths : tuple of int
        k of either view.
    """

    def __init__(self, context: int, widths: tuple[int, int]) -> None:
        self.w = 2 * context + 1
        self.context, self.widths, self.n = context, widths, 0
        self.sums = [np.zeros(self.w * k) for k in widths]
        pairs = [(widths[a], widths[b]) for a, b in _PAIRS]
        self.rows = [np.zeros((a, self.w * b)) for a, b in pairs]
        self.columns = [np.zeros((self.w * a, b)) for a, b in pairs]
        self.ends = [np.zeros(((self.w - 1) * a, (self.w - 1) * b)) for a, b in pairs]

    def add(self, x: np.ndarray, y: np.ndarray, counts: np.ndarray | None) -> None:
        """Add a block.

        Parameters
        ----------
        x, y : np.ndarray [shape=(b, T + 2c, k), dtype=float64]
            From `padded`.
        counts : np.ndarray [shape=(b,), dtype=int64] or None
            Rows of each item that are paired, the first ones; all T by default.
        """
        b, length = x.shape[:2]
        T = length - self.w + 1
        last = np.full(b, T) if counts is None else counts
        real = np.ones(b * T) if counts is None else (np.arange(T) < counts[:, None]).astype(np.float64).reshape(-1)
        self.n += int(last.sum())
        sides = (x, y)
        listed = [windows(side, self.context) for side in sides]
        first = [each[:, :k] * real[:, None] for each, k in zip(listed, self.widths, strict=True)]
        at = last[:, None] + np.arange(self.w - 1)
        tails = [side[np.arange(b)[:, None], at].reshape(b, (self.w - 1) * side.shape[2]) for side in sides]
        heads = [side[:, : self.w - 1].reshape(b, (self.w - 1) * side.shape[2]) for side in sides]
        for index, each in enumerate(listed):
            self.sums[index] += real @ each
        for index, (one, other) in enumerate(_PAIRS):
            self.rows[index] += first[one].T @ listed[other]
            if one != other:
                self.columns[index] += listed[one].T @ first[other]
            self.ends[index] += tails[one].T @ tails[other] - heads[one].T @ heads[other]

    def moments(self) -> Moments:
        """Put the blocks together."""
        w = self.w
        found = []
        for index, (one, other) in enumerate(_PAIRS):
            a, b = self.widths[one], self.widths[other]
            blocks_ = np.empty((w, a, w, b))
            blocks_[0] = self.rows[index].reshape(a, w, b)
            if one == other:
                blocks_[:, :, 0] = self.rows[index].reshape(a, w, b).transpose(1, 2, 0)
            else:
                blocks_[:, :, 0] = self.columns[index].reshape(w, a, b)
            ends = self.ends[index].reshape(w - 1, a, w - 1, b)
            for j in range(w - 1):
                blocks_[j + 1, :, 1:] = blocks_[j, :, :-1] + ends[j]
            found.append(blocks_.reshape(w * a, w * b))
        return Moments(self.n, (self.sums[0], self.sums[1]), (found[0], found[1], found[2]))


#: Views of the products: the first with itself, the second with itself, the first with the second.
_PAIRS = ((0, 0), (1, 1), (0, 1))
