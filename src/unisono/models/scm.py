"""Semantic correlation matching: classifiers on canonical variates."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from unisono.models.base import Labels, Lengths, Views
from unisono.models.cca import CCA
from unisono.models.parts.columns import standardisation
from unisono.models.parts.linear import project
from unisono.models.parts.posteriors import SemanticAligner, logistic


class SCM(SemanticAligner, CCA):
    """Projects both views by `cca`, then compares them by the posteriors of classifiers of the projections.

    CCA of own pairs finds what the views share, without labels; multinomial logistic regression of either view's
    variates, each of them standardised (so that `scale` has no effect), gives the posteriors.

    References
    ----------
    Rasiwasia, Costa Pereira, Coviello, Doyle, Lanckriet, Levy, Vasconcelos, "A new approach to cross-modal multimedia
    retrieval", ACM Multimedia 2010 (SCM).
    """

    #: What is tried by tuning.
    grid: ClassVar = {
        "n_components": (10, 30),
        "similarity": ("inner", "cosine"),
        "penalty": (1.0, 10.0, 100.0),
    }
    correlates = False

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        super()._fit(views, None, lengths, checkpoint)
        _, classes = np.unique(np.asarray(labels), return_inverse=True)
        for view, array in views.items():
            variates = project(self.arrays_, view, array)
            deviation = standardisation(variates)[1]
            weights, bias = logistic(variates / deviation, classes, self.penalty)
            self.arrays_ |= {f"{view}.classifier": weights / deviation[:, None], f"{view}.bias": bias}

    def _posteriors(self, view: str, array: np.ndarray) -> np.ndarray:
        return super()._posteriors(view, project(self.arrays_, view, array))


MODEL = SCM
