"""Overlap: how much of what a query has an item of the gallery has, too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from unisono.errors import DataError
from unisono.metrics import inner_products
from unisono.models.base import Aligner, Items, Labels, Lengths, Views

#: Numbers of a block of pairs, of all columns, in memory.
BLOCK = 2**22


class Overlap(Aligner):
    r"""Compares two views column by column, such as the tags of a picture with the words of a lyric; learns nothing.

    Both views have the same columns. For weights p of one item and h of the other,

    .. math:: \text{sum}: \sum_t p_t h_t, \qquad \text{any}: 1 - \prod_t (1 - p_t h_t).

    Sum is a bag of words. Where p and h are probabilities that an item has a tag, any is the probability that both have
    a tag in common if tags come independently of each other: the expected relevance of items that fit where they share
    one. `transform` gives the rows themselves; the ranking is that of `score`, not their cosine.

    Parameters
    ----------
    rule : {"sum", "any"}
        The formula; any takes values from 0 to 1.
    """

    n_views = 2
    trained = False

    rule: Literal["sum", "any"] = "sum"

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        if len(set(self.widths_.values())) > 1:
            widths = ", ".join(f"{view} {width}" for view, width in self.widths_.items())
            raise DataError(f"{self.name}: views of unequal width ({widths}); both must have the same columns")

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return array

    def _score(self, queries: Items, gallery: Items) -> np.ndarray:
        if self.rule == "sum":
            return inner_products(queries.array, gallery.array)
        for view, array, _ in (queries, gallery):
            outside = ((array < 0) | (array > 1)).any(axis=1)
            if outside.any():
                raise DataError(
                    f"{self.name}: view {view!r}, row {int(np.argmax(outside))}: a value outside of 0 to 1; rule any "
                    "takes probabilities, rule sum any weights"
                )
        one, other = (items.array.astype(np.float64) for items in (queries, gallery))
        if _binary(other):
            return _any(one, other)
        if _binary(one):
            return _any(other, one).T
        found = np.empty((len(one), len(other)))
        step = max(1, BLOCK // other.size)
        for start in range(0, len(one), step):
            block = slice(start, start + step)
            with np.errstate(divide="ignore"):
                # Each sum runs over the columns of one pair, so that it is the same wherever the pair stands.
                found[block] = -np.expm1(np.log1p(-one[block, None] * other).sum(axis=2))
        return found


def _binary(array: np.ndarray) -> bool:
    return bool(((array == 0) | (array == 1)).all())


def _any(probabilities: np.ndarray, has: np.ndarray) -> np.ndarray:
    """Probability of any of the columns that the other has, by a matrix product."""
    certain = probabilities == 1
    none = inner_products(np.log1p(-np.where(certain, 0, probabilities)), has)
    found: np.ndarray = -np.expm1(none)
    found[inner_products(certain, has) > 0] = 1
    return found


MODEL = Overlap
