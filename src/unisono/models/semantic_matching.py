"""Semantic matching: a classifier for each view, and items compared by the probabilities of their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unisono.models.base import Labels, Lengths, Views
from unisono.models.parts.columns import standardisation
from unisono.models.parts.held_out import discriminant
from unisono.models.parts.posteriors import SemanticAligner, check_varying, logistic


class SemanticMatching(SemanticAligner):
    r"""Classifies every view by itself and ranks by what the posteriors of a class have in common.

    Columns are standardised, then multinomial logistic regression or linear discriminant analysis gives p(c|x). An
    item's partner is not used: pairs may be shuffled within a class. Items of a class that training lacks get the
    probabilities of those it has; within a class the order is that of certainty, not of likeness.

    Parameters
    ----------
    classifier : str
        logistic, or lda: linear discriminant analysis whose covariances are shrunk by Ledoit and Wolf's rule (`penalty`
        is not used).

    References
    ----------
    Rasiwasia, Costa Pereira, Coviello, Doyle, Lanckriet, Levy, Vasconcelos, "A new approach to cross-modal multimedia
    retrieval", ACM Multimedia 2010 (SM); Ledoit, Wolf, "Honey, I shrunk the sample covariance matrix", Journal of
    Portfolio Management 30, 2004.
    """

    #: What is tried by tuning.
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {
        "classifier": ("logistic", "lda"),
        "similarity": ("inner", "cosine"),
        "penalty": (1.0, 10.0, 100.0),
    }
    standardises = True
    needs_pairs = False

    classifier: Literal["logistic", "lda"] = "logistic"

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        check_varying(self.name, views)
        names, classes = np.unique(np.asarray(labels), return_inverse=True)
        for view, array in views.items():
            mean, deviation = standardisation(array)
            rows = np.subtract(array, mean, dtype=np.float64) / deviation
            if self.classifier == "lda":
                weights, bias, _ = discriminant(rows, classes, len(names))
            else:
                weights, bias = logistic(rows, classes, self.penalty)
            # Standardising becomes part of the weights.
            weights = weights / deviation[:, None]
            self.arrays_ |= {f"{view}.classifier": weights, f"{view}.bias": bias - mean @ weights}


MODEL = SemanticMatching
