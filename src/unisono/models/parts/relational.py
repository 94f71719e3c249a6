"""Methods that learn from a relation of two views' rows instead of paired rows."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING

from unisono.models.base import Aligner, Labels, Lengths, Views
from unisono.models.parts.relations import of_labels

if TYPE_CHECKING:
    from scipy import sparse


class RelationalAligner(Aligner):
    """Learns which rows of two views are relevant to each other; a row may have any number of partners.

    Of paired rows, those of one label are relevant to each other; without labels each row is relevant to itself.
    """

    n_views = 2
    relational = True

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        n_items = len(next(iter(views.values())))
        self._fit_relation(views, of_labels(labels, n_items), lengths, checkpoint)

    @abc.abstractmethod
    def _fit_relation(
        self, views: Views, relevance: sparse.csr_array, lengths: Lengths, checkpoint: Path | None
    ) -> None:
        """Learn from checked views of other rows and the relation of those [shape=(n_a, n_b), dtype=bool]."""
