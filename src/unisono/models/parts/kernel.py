"""Gaussian kernels as features: all of them, landmarks (Nystroem) or random Fourier features."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy import linalg
from scipy.linalg import blas

from unisono.errors import ConfigError
from unisono.models.base import Labels, Lengths, Natural, Positive, Views
from unisono.models.parts.linear import BLOCK, CanonicalAligner, Covariances, Map, cholesky

#: Rows whose distances give the median.
SAMPLE = 1000
#: Added to the diagonal of a kernel matrix (which is 1), so that equal landmarks do no harm.
JITTER = 1e-10


class KernelAligner(CanonicalAligner):
    """What `kcca` and `c_kcca` share: the kernel of each view as features phi(x), k(x, z) = phi(x) phi(z)^T.

    With up to `exact_up_to` training rows every row is a landmark, and the features reproduce the kernel
    matrix exactly.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most n-1 and the number of features.
    ridge : float
        Relative to the trace of the features' covariance, which is the mean of the centred kernel's diagonal.
    width : str or float
        Standard deviation w of the kernel exp(-||x-z||^2 / (2 w^2)), in the units of the features: median
        (the median distance between training rows, of 1,000 evenly spaced ones) or a number. The
        dissertation's "beta = 0.4" is .4 read as a width, 1.118 read as exp(-beta ||x-z||^2).
    exact_up_to : int
        Training rows up to which the kernel is exact.
    approximation : str
        Of the kernel above that: nystroem (random training rows as landmarks) or random_features (Fourier).
    n_features : int
        Landmarks, or random features (an even number).
    seed : int
        Of landmarks and frequencies; an exact kernel has nothing random.
    """

    ridge: Positive = 0.005
    width: Literal["median"] | Positive = "median"
    exact_up_to: Natural = 2000
    approximation: Literal["random_features", "nystroem"] = "nystroem"
    n_features: Annotated[int, Field(ge=2, multiple_of=2)] = 1000

    @property
    def approximate_(self) -> bool:
        """Whether the kernel was approximated, since there were more than `exact_up_to` training rows."""
        return int(self.arrays_["n_items"][0]) > self.exact_up_to

    @abc.abstractmethod
    def _align(
        self,
        views: tuple[np.ndarray, np.ndarray],
        maps: tuple[Map, Map],
        labels: np.ndarray | None,
    ) -> tuple[Covariances, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return the moments of the features, and correlations and weights on them."""

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        x, y = views.values()
        n = len(x)
        exact = n <= self.exact_up_to
        n_features = n if exact else self.n_features
        most = min(n - 1, n_features)
        if self.n_components > most:
            raise ConfigError(
                f"models.{self.name}.n_components: {self.n_components} is more than these data have: at most {most} "
                f"({n} training rows, less one; {n_features} features); lower n_components"
            )
        generator = np.random.default_rng(self.seed)
        arrays: dict[str, np.ndarray] = {"n_items": np.array([n])}
        factors: dict[str, np.ndarray] = {}
        widths: dict[str, float] = {}
        landmarks = np.arange(n) if exact else np.sort(generator.choice(n, min(n, n_features), replace=False))
        for view, array in views.items():
            widths[view] = width = self._width(view, array)
            arrays[f"{view}.width"] = np.array([width])
            if exact or self.approximation == "nystroem":
                points = array[landmarks].astype(np.float64)
                arrays[f"{view}.landmarks"] = points
                gram = gaussian(points, points, width)
                gram[np.diag_indices_from(gram)] = 1 + JITTER
                factors[view] = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
            else:
                shape = (array.shape[1], n_features // 2)
                arrays[f"{view}.frequencies"] = generator.standard_normal(shape) / width

        def features(view: str) -> Map:
            def nystroem(rows: np.ndarray) -> np.ndarray:
                kernel = gaussian(rows, arrays[f"{view}.landmarks"], widths[view])
                solved: np.ndarray = blas.dtrsm(1.0, factors[view], kernel.T, lower=True, overwrite_b=True)
                return solved.T

            def fourier(rows: np.ndarray) -> np.ndarray:
                return random_features(rows, arrays[f"{view}.frequencies"])

            return nystroem if view in factors else fourier

        first, second = views
        found, (S, A, B) = self._align((x, y), (features(first), features(second)), labels)
        arrays["correlations"] = S
        for view, mean, weights in zip(views, found.means, (A, B), strict=True):
            arrays[f"{view}.mean"] = mean @ weights
            if view in factors:
                weights = linalg.solve_triangular(factors[view], weights, lower=True, trans="T", check_finite=False)
            arrays[f"{view}.weights"] = weights
        self.arrays_ = arrays

    def _factors(self, found: Covariances) -> tuple[np.ndarray, np.ndarray]:
        """Factorise both covariances with a ridge relative to their trace."""
        first, second = (
            cholesky(within, self.ridge * len(within), where=f"{self.name}, view {view!r}")
            for view, within in zip(self.widths_, found.within, strict=True)
        )
        return first, second

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        learned = {key.rpartition(".")[2]: value for key, value in self.arrays_.items() if key.startswith(f"{view}.")}
        projected = np.empty((len(array), self.n_components))
        for start in range(0, len(array), BLOCK):
            rows = array[start : start + BLOCK]
            if "landmarks" in learned:
                found = gaussian(rows, learned["landmarks"], float(learned["width"][0]))
            else:
                found = random_features(rows, learned["frequencies"])
            projected[start : start + BLOCK] = found @ learned["weights"] - learned["mean"]
        return projected

    def _width(self, view: str, array: np.ndarray) -> float:
        if self.width != "median":
            return float(self.width)
        # Evenly spaced rows, so that rows sorted by class are sampled from all classes.
        rows = array[np.linspace(0, len(array) - 1, min(len(array), SAMPLE)).astype(int)]
        distances = squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]
        median = float(np.sqrt(np.median(distances)))
        if median <= 0:
            raise ConfigError(
                f"models.{self.name}.width: half of the rows of view {view!r} are equal, so that the median distance "
                "is 0; give the width as a number"
            )
        return median


def squared_distances(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances, float64 [shape=(rows, points)]."""
    # Around one of the points, or the squares of a large common offset would drown the differences.
    X, Z = (np.subtract(array, points[0], dtype=np.float64) for array in (rows, points))
    found: np.ndarray = X @ Z.T
    found *= -2
    found += np.einsum("nd,nd->n", X, X)[:, None]
    found += np.einsum("nd,nd->n", Z, Z)
    return np.maximum(found, 0, out=found)


def gaussian(rows: np.ndarray, points: np.ndarray, width: float) -> np.ndarray:
    """Gaussian kernel exp(-||x - z||^2 / (2 width^2)), float64 [shape=(rows, points)]."""
    found = squared_distances(rows, points)
    found *= -0.5 / width**2
    return np.exp(found, out=found)


def random_features(rows: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Random Fourier features: cosines and sines of random projections, float64 [shape=(rows, 2 F)]."""
    phases = np.asarray(rows, dtype=np.float64) @ frequencies
    found: np.ndarray = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
    found /= np.sqrt(frequencies.shape[1])
    return found
