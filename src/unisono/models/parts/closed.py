"""Canonical correlation in closed form: what `cca`, `kcca` and their relatives for classes share."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from unisono.models.base import Labels, Views, Weight
from unisono.models.parts.linear import CanonicalAligner, Covariances, Map, cholesky
from unisono.models.parts.tuning import FALLBACK, RIDGES, Embed, choose
from unisono.models.parts.views import check_components

#: From the factors of both covariances and k: correlations, weights of the first view and of the second.
Solver = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Solution(NamedTuple):
    """CCA of two views.

    Attributes
    ----------
    means : tuple of np.ndarray [shape=(d,), dtype=float64]
    correlations : np.ndarray [shape=(k,), dtype=float64]
    weights : tuple of np.ndarray [shape=(d, k), dtype=float64]
        Of the first and the second view.
    """

    means: tuple[np.ndarray, np.ndarray]
    correlations: np.ndarray
    weights: tuple[np.ndarray, np.ndarray]

    def scaled(self) -> Solution:
        """Multiply each axis by its correlation."""
        first, second = (weights * self.correlations for weights in self.weights)
        return Solution(self.means, self.correlations, (first, second))


class ClosedAligner(CanonicalAligner):
    """A canonical method in closed form, from the moments of its views or of their features.

    Parameters
    ----------
    ridge : float or str
        r, relative to the mean of each covariance's diagonal; auto: chosen for what ranks held-out training rows best,
        by cross-validation. `ridge_` says which.
    scale : str
        correlation: each axis is multiplied by its canonical correlation, so that axes without any do not blur the
        ranking. none: all axes count alike.
    """

    #: What is tried for ``ridge="auto"``, the largest first.
    ridges: ClassVar[Sequence[float]] = RIDGES

    ridge: Weight | Literal["auto"] = "auto"
    scale: Literal["none", "correlation"] = "correlation"

    @property
    def ridge_(self) -> float:
        """The ridge, given or chosen."""
        return float(self.arrays_["ridge"][0])

    @abc.abstractmethod
    def _problem(self, views: Views, labels: Labels, maps: tuple[Map, Map]) -> tuple[Covariances, Solver]:
        """Return the moments of the features `maps` of two views, and what solves CCA given factors of both."""

    def _unit(self, width: int) -> float:
        """By what a ridge is multiplied to be relative to the mean of the diagonal of so many columns."""
        return 1.0

    def _solutions(
        self,
        views: Views,
        labels: Labels,
        ridges: Sequence[float],
        *,
        maps: tuple[Map, Map] = (np.asarray, np.asarray),
        units: Mapping[str, float] | None = None,
        n_components: int | None = None,
    ) -> Iterator[tuple[float, Solution]]:
        """Solve for several ridges from the same moments, each view's in its own unit."""
        found, solve = self._problem(views, labels, maps)
        for ridge in ridges:
            L1, L2 = (
                cholesky(
                    within,
                    ridge * (units[view] if units else self._unit(len(within))),
                    where=f"{self.name}, view {view!r}",
                )
                for view, within in zip(views, found.within, strict=True)
            )
            S, A, B = solve(L1, L2, n_components or self.n_components)
            solution = Solution(found.means, S, (A, B))
            yield ridge, solution.scaled() if self.scale == "correlation" else solution

    def _linear(self, views: Views, labels: Labels) -> dict[str, np.ndarray]:
        """Solve for the views themselves, with the ridge that is given or chosen.

        Returns
        -------
        dict of str to np.ndarray
            ``ridge`` [shape=(1,)], ``correlations`` [shape=(n_components,)] and per view ``<view>.mean`` [shape=(d,)]
            and ``<view>.weights`` [shape=(d, n_components)], all float64; `linear.project` applies them.
        """
        check_components(self.name, self.n_components, views)
        ridge = self._chosen(views, labels) if self.ridge == "auto" else self.ridge
        [(_, solution)] = self._solutions(views, labels, [ridge])
        if labels is not None:
            self._note_components(solution.correlations, labels)
        arrays = {"ridge": np.array([ridge]), "correlations": solution.correlations}
        for view, mean, weights in zip(views, solution.means, solution.weights, strict=True):
            arrays |= {f"{view}.mean": mean, f"{view}.weights": weights}
        return arrays

    def _chosen(self, views: Views, labels: Labels) -> float:
        widths = {view: array.shape[1] for view, array in views.items()}

        def candidates(rows: Views, classes: Labels) -> Iterator[tuple[float, Embed]]:
            # A view that was turned into its rows' space has its variance in fewer columns.
            units = {view: array.shape[1] / widths[view] for view, array in rows.items()}
            k = min(self.n_components, len(next(iter(rows.values()))) - 1)
            for ridge, solution in self._solutions(rows, classes, self.ridges, units=units, n_components=k):
                yield ridge, embedding(rows, solution)

        return choose(views, labels, candidates, fallback=FALLBACK)

    def _note_components(self, correlations: np.ndarray, labels: np.ndarray) -> None:
        """Warn where there are fewer components with class covariance than are asked for."""
        rank = np.count_nonzero(correlations)
        if rank < self.n_components:
            others = "follow the items' own pairs" if self.scale == "none" else "are zero (scale: correlation)"
            warnings.warn(
                f"{self.name}: only {rank} of {self.n_components} components carry covariance of the "
                f"{len(np.unique(labels))} classes; the others {others}",
                stacklevel=4,
            )


def embedding(views: Views, solution: Solution, maps: tuple[Map, Map] = (np.asarray, np.asarray)) -> Embed:
    """Return what embeds rows of a view with a solution."""
    of = dict(zip(views, zip(maps, solution.means, solution.weights, strict=True), strict=True))

    def embed(view: str, rows: np.ndarray) -> np.ndarray:
        features, mean, weights = of[view]
        embedded: np.ndarray = (features(rows) - mean) @ weights
        return embedded

    return embed
