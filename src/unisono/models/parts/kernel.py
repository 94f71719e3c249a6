"""Gaussian kernels as features: all of them, landmarks (Nystroem) or random Fourier features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy import linalg
from scipy.linalg import blas

from unisono.errors import ConfigError
from unisono.models.base import Labels, Lengths, Natural, Positive, Views
from unisono.models.parts.closed import ClosedAligner, embedding
from unisono.models.parts.linear import BLOCK
from unisono.models.parts.tuning import Embed, choose

#: Rows whose distances give the median.
SAMPLE = 1000
#: Added to the diagonal of a kernel matrix (which is 1), so that equal landmarks do no harm.
JITTER = 1e-10
#: Multiples of the median distance that are tried for ``width="auto"``.
WIDTHS = (1.0, 0.4, 0.7, 2.0)
#: Landmarks while ridge and width are chosen.
FEW_LANDMARKS = 300
#: Ridge and width, as a multiple of the median, where there are too few rows to choose them.
FALLBACK = (0.005, 1.0)


class KernelAligner(ClosedAligner):
    """What `kcca` and `c_kcca` share: the kernel of each view as features phi(x), k(x, z) = phi(x) phi(z)^T.

    With up to `exact_up_to` training rows every row is a landmark, and the features reproduce the kernel
    matrix exactly.

    Parameters
    ----------
    n_components : int
        Width k of the shared space, at most n-1 and the number of features.
    ridge : float or str
        Relative to the trace of the features' covariance, which is the mean of the centred kernel's diagonal. auto:
        chosen, together with the width, by cross-validation on the training rows; `ridge_` says which.
    width : str or float
        Standard deviation w of the kernel exp(-||x-z||^2 / (2 w^2)), in the units of the features: median
        (the median distance between training rows, of 1,000 evenly spaced ones), auto (a multiple of it, chosen like
        the ridge) or a number. The dissertation's "beta = 0.4" is .4 read as a width, 1.118 read as
        exp(-beta ||x-z||^2).
    exact_up_to : int
        Training rows up to which the kernel is exact.
    approximation : str
        Of the kernel above that: nystroem (random training rows as landmarks) or random_features (Fourier).
    n_features : int
        Landmarks, or random features (an even number).
    seed : int
        Of landmarks and frequencies; an exact kernel has nothing random.
    """

    ridges: ClassVar = (0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4, 3e-5)
    #: Ridge and width are chosen together within each fit, which works the kernels out once for all.
    grid: ClassVar = {"ridge": ("auto",), "width": ("auto",), "scale": ("correlation", "none")}

    ridge: Positive | Literal["auto"] = "auto"
    width: Literal["median", "auto"] | Positive = "auto"
    exact_up_to: Natural = 2000
    approximation: Literal["random_features", "nystroem"] = "nystroem"
    n_features: Annotated[int, Field(ge=2, multiple_of=2)] = 2000

    @property
    def approximate_(self) -> bool:
        """Whether the kernel was approximated, since there were more than `exact_up_to` training rows."""
        return int(self.arrays_["n_items"][0]) > self.exact_up_to

    def _unit(self, width: int) -> float:
        # The trace is so many times the mean of the diagonal.
        return float(width)

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        n = len(next(iter(views.values())))
        exact = n <= self.exact_up_to
        n_features = n if exact else self.n_features
        self._check_components(n, n_features, exact=exact)
        classes = labels if self.supervised else None
        # Whatever is given is known before anything is chosen.
        units = {
            view: self._median(view, array) if isinstance(self.width, str) else float(self.width)
            for view, array in views.items()
        }
        ridge, factor = self._settings(views, classes, units)
        widths = {view: factor * unit for view, unit in units.items()}
        generator = np.random.default_rng(self.seed)
        landmarks = np.arange(n) if exact else np.sort(generator.choice(n, min(n, n_features), replace=False))
        if exact or self.approximation == "nystroem":
            maps = {view: Features(width, landmarks=views[view][landmarks]) for view, width in widths.items()}
        else:
            maps = {
                view: Features(
                    width, frequencies=generator.standard_normal((views[view].shape[1], n_features // 2)) / width
                )
                for view, width in widths.items()
            }
        first, second = maps.values()
        [(_, solution)] = self._solutions(views, classes, [ridge], maps=(first, second))
        if classes is not None:
            self._note_components(solution.correlations, classes)
        arrays = {"n_items": np.array([n]), "ridge": np.array([ridge]), "correlations": solution.correlations}
        for view, mean, weights in zip(views, solution.means, solution.weights, strict=True):
            arrays[f"{view}.mean"] = mean @ weights
            arrays |= {f"{view}.{name}": array for name, array in maps[view].arrays(weights).items()}
        self.arrays_ = arrays

    def _settings(self, views: Views, labels: Labels, units: Mapping[str, float]) -> tuple[float, float]:
        """Return the ridge, and by what the unit of a width is multiplied; choose what is to be chosen."""
        ridges = self.ridges if self.ridge == "auto" else [self.ridge]
        factors = WIDTHS if self.width == "auto" else [1.0]
        if len(ridges) * len(factors) == 1:
            return ridges[0], factors[0]

        def candidates(rows: Views, classes: Labels) -> Iterator[tuple[tuple[float, float], Embed]]:
            n = len(next(iter(rows.values())))
            # Rows were shuffled before.
            few = slice(0, min(n, FEW_LANDMARKS))
            k = min(self.n_components, n - 1, FEW_LANDMARKS)
            for factor in factors:
                first, second = (Features(factor * units[view], landmarks=a[few]) for view, a in rows.items())
                for ridge, solution in self._solutions(rows, classes, ridges, maps=(first, second), n_components=k):
                    yield (ridge, factor), embedding(rows, solution, (first, second))

        fallback = (FALLBACK[0] if self.ridge == "auto" else ridges[0], FALLBACK[1])
        return choose(views, labels, candidates, fallback)

    def _check_components(self, n_items: int, n_features: int, *, exact: bool) -> None:
        most = min(n_items - 1, n_features)
        if self.n_components > most:
            limit, remedy = f"{n_items} training rows, less one", "lower n_components"
            if not exact and most < n_items - 1:
                limit = f"{n_features} features, since there are more than {self.exact_up_to} training rows"
                remedy += f" or raise models.{self.name}.n_features"
            raise ConfigError(
                f"models.{self.name}.n_components: {self.n_components} is more than these data have: at most {most} "
                f"({limit}); {remedy}"
            )

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        learned = {key.removeprefix(f"{view}."): a for key, a in self.arrays_.items() if key.startswith(f"{view}.")}
        projected = np.empty((len(array), self.n_components))
        for start in range(0, len(array), BLOCK):
            rows = array[start : start + BLOCK]
            if "landmarks" in learned:
                found = gaussian(rows, learned["landmarks"], float(learned["width"][0]))
            else:
                found = random_features(rows, learned["frequencies"])
            projected[start : start + BLOCK] = found @ learned["weights"] - learned["mean"]
        return projected

    def _median(self, view: str, array: np.ndarray) -> float:
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


class Features:
    """Features of rows whose inner products are the kernel, or near it.

    Parameters
    ----------
    width : float
        Of the kernel.
    landmarks : np.ndarray [shape=(m, d), dtype=any real], optional
        The features are exact for them.
    frequencies : np.ndarray [shape=(d, m / 2), dtype=float64], optional
        Where there are no landmarks: of random Fourier features.
    """

    def __init__(
        self, width: float, *, landmarks: np.ndarray | None = None, frequencies: np.ndarray | None = None
    ) -> None:
        self.width, self.frequencies = width, frequencies
        if landmarks is not None:
            self.landmarks = landmarks.astype(np.float64)
            gram = gaussian(self.landmarks, self.landmarks, width)
            gram[np.diag_indices_from(gram)] = 1 + JITTER
            self.factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Compute the features of some rows [shape=(n, m), dtype=float64]."""
        if self.frequencies is not None:
            return random_features(rows, self.frequencies)
        kernel = gaussian(rows, self.landmarks, self.width)
        solved: np.ndarray = blas.dtrsm(1.0, self.factor, kernel.T, lower=True, overwrite_b=True)
        return solved.T

    def arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return what weights on features need: width, landmarks or frequencies, and weights on kernel values."""
        if self.frequencies is not None:
            return {"width": np.array([self.width]), "frequencies": self.frequencies, "weights": weights}
        solved = linalg.solve_triangular(self.factor, weights, lower=True, trans="T", check_finite=False)
        return {"width": np.array([self.width]), "landmarks": self.landmarks, "weights": solved}


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
