"""Note-level CCA: one canonical correlation analysis of all single rows of two views' sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unisono.errors import ConfigError, DataError
from unisono.models.base import Aligner, Labels, Lengths, Natural, Views, Weight
from unisono.models.parts.contexts import Sequences, Sums, blocks, padded, standardiser, windows
from unisono.models.parts.linear import NOTHING, canonical, cholesky

#: Most columns of a row; wider ones are turned into as many by PCA.
WIDEST = 64


class LocalCCA(Aligner):
    r"""Projects single rows of sequences (notes) by one CCA that all positions share, and compares item by item.

    Averaged over time, two pieces of the same notes in another order are the same. Row by row they are not, and n items
    of T rows are n T pairs to learn from, where CCA of the flattened sequences has n pairs for T times as many columns.

    .. math:: u_t = S^p A^T (\tilde x_t - \bar x), \quad v_t = S^p B^T (\tilde y_t - \bar y), \quad
              s(x, y) = \frac{\sum_t u_t^T v_t}{\sqrt{\sum_t \|u_t\|^2 \sum_t \|v_t\|^2}}

    where :math:`\tilde x_t = (x_{t-c}, \ldots, x_{t+c})` is row t among its neighbours (zeros beyond the ends), A, B
    and the correlations S are those of `cca` over all pairs :math:`(\tilde x_t, \tilde y_t)` of all items, and p sets
    how much less weakly correlated components count. All components are kept; an embedding is an item's T projected
    rows one after the other. Columns are standardised over all rows and times, and views wider than 64 turned into 64
    columns by PCA.

    Where an item has fewer rows in one view than in the other and one number divides the other, rows of the shorter
    view are repeated: ten snippets of sheet music stand for two of 20 notes each. A view without a time axis, and one
    of a single row, stands beside every row of the other. Sequences of different length need the same length in both
    views; rows that an item lacks are zero in its embedding, and so are those of a query that is shorter than what was
    fitted.

    Parameters
    ----------
    ridge : float
        r, relative to the mean of each covariance's diagonal.
    power : float
        p: 0 lets all components count alike.
    context : int
        c, neighbours on either side; of sequences of T rows at most T - 1.
    centre : str
        item: each item's mean over time is subtracted, so that only what changes within it counts. none: it is not.

    References
    ----------
    Hotelling, "Relations between two sets of variates", Biometrika 28, 1936. The weights of an item's components as in
    `cca` with ``scale="correlation"`` (p = 1).
    """

    n_views = 2
    sequential = True
    standardises = True
    #: What is tried where hyper-parameters are chosen by cross-validation on the training part: every combination.
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {
        "ridge": (0.01, 0.03, 0.3),
        "power": (1.0, 2.0),
        "context": (0, 2, 4),
    }

    ridge: Weight = 0.03
    power: Weight = 1.0
    context: Natural = 2
    centre: Literal["none", "item"] = "none"

    @property
    def correlations_(self) -> np.ndarray:
        """Canonical correlations of the rows, from the largest [shape=(k,), dtype=float64]."""
        return self.arrays_["correlations"]

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        sides = {view: self._sequences(array, lengths.get(view)) for view, array in views.items()}
        rows = {view: each.array.shape[1] for view, each in sides.items()}
        T = max(rows.values())
        if any(T % count for count in rows.values()):
            raise DataError(
                f"{self.name}: an item has {_counted(rows)}; expected as many, or one number that divides the other "
                "(rows are then repeated); cut the sequences into as many rows, or average them over time"
            )
        if self.centre == "item" and min(rows.values()) == 1:
            view = min(rows, key=lambda name: rows[name])
            raise ConfigError(
                f"models.{self.name}.centre: item leaves nothing of view {view!r}, whose items have one row; set none"
            )
        counts = self._paired(sides, T)
        maps = {view: standardiser(each, WIDEST, where=f"{self.name}, view {view!r}") for view, each in sides.items()}
        context = min(self.context, T - 1)
        widths = tuple(columns.shape[1] for _, columns in maps.values())
        sums = Sums(context, (widths[0], widths[1]))
        for items in blocks(len(views[next(iter(views))]), T * (2 * context + 1) * max(widths)):
            x, y = (
                padded(each.block(items, maps[view][0]) @ maps[view][1], T // rows[view], context)
                for view, each in sides.items()
            )
            sums.add(x, y, None if counts is None else counts[items])
        n, totals, products = sums.moments()
        means = [total / n for total in totals]
        covariances = [
            (products[index] - n * np.outer(means[one], means[other])) / (n - 1)
            for index, (one, other) in enumerate(((0, 0), (1, 1), (0, 1)))
        ]
        L1, L2 = (
            cholesky(covariances[index], self.ridge, where=f"{self.name}, view {view!r}")
            for index, view in enumerate(views)
        )
        S, A, B = canonical(L1, L2, covariances[2], min(len(L1), len(L2)))
        S = S[S[0] * NOTHING < S]
        self.arrays_ = {"correlations": S, "rows": np.array([T])}
        for view, mean, weights in zip(views, means, (A, B), strict=True):
            scaled = weights[:, : len(S)] * S**self.power
            self.arrays_ |= {
                f"{view}.rows": np.array([rows[view]]),
                f"{view}.mean": maps[view][0],
                f"{view}.columns": maps[view][1],
                f"{view}.weights": scaled,
                f"{view}.offset": mean @ scaled,
            }

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        T, fitted = int(self.arrays_["rows"][0]), int(self.arrays_[f"{view}.rows"][0])
        if array.ndim == 2 and fitted > 1:
            raise DataError(
                f"{self.name}: view {view!r} has no time axis, it was fitted with {fitted} rows an item; give sequences"
            )
        side = self._sequences(array, lengths)
        n_items, given, _ = side.array.shape
        if given > fitted:
            raise DataError(
                f"{self.name}: view {view!r} has {given} rows an item, fitted were {fitted}; give {fitted} or fewer"
            )
        weights = self.arrays_[f"{view}.weights"]
        columns = self.arrays_[f"{view}.columns"]
        context = (len(weights) // max(columns.shape[1], 1) - 1) // 2
        repeats, k = T // fitted, weights.shape[1]
        counts = np.full(n_items, given) if side.lengths is None else side.lengths
        made = np.zeros((n_items, T, k), dtype=np.float32)
        for items in blocks(n_items, T * len(weights)):
            rows = side.block(items, self.arrays_[f"{view}.mean"]) @ columns
            rows = np.pad(rows, ((0, 0), (0, fitted - given), (0, 0)))
            listed = windows(padded(rows, repeats, context), context)
            projected = (listed @ weights - self.arrays_[f"{view}.offset"]).reshape(-1, T, k)
            real = np.arange(T) < repeats * counts[items, None]
            made[items] = projected * real[:, :, None]
        return made.reshape(n_items, T * k)

    def _sequences(self, array: np.ndarray, lengths: np.ndarray | None) -> Sequences:
        """Take a view as sequences, up to the length of its longest item."""
        if array.ndim == 2:
            return Sequences(array[:, None], None, self.centre == "item")
        if lengths is not None:
            longest = int(lengths.max())
            array, lengths = array[:, :longest], None if (lengths == longest).all() else lengths
        return Sequences(array, lengths, self.centre == "item")

    def _paired(self, sides: Mapping[str, Sequences], T: int) -> np.ndarray | None:
        """Count the rows of each item, repeated ones too; None where all have T."""
        if all(each.lengths is None for each in sides.values()):
            return None
        own = {
            view: np.full(len(each.array), each.array.shape[1]) if each.lengths is None else each.lengths
            for view, each in sides.items()
            if each.array.shape[1] > 1
        }
        counts = [lengths * (T // sides[view].array.shape[1]) for view, lengths in own.items()]
        unequal = counts[0] != counts[-1]
        if unequal.any():
            item = int(np.argmax(unequal))
            found = {view: int(lengths[item]) for view, lengths in own.items()}
            raise DataError(
                f"{self.name}: row {item}: an item has {_counted(found)}; expected the same share of the longest in "
                "both views; cut its sequences to the same stretch of time"
            )
        return counts[0]


def _counted(rows: Mapping[str, int]) -> str:
    return " and ".join(f"{count} row{'s' * (count != 1)} in view {view!r}" for view, count in rows.items())


MODEL = LocalCCA
