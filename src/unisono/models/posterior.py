"""Posterior matching: a calibrated classifier for each view, and items ranked by the probability of one class."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Annotated, NamedTuple, get_args

import numpy as np
from pydantic import Field

from unisono.errors import ConfigError, DataError
from unisono.models.base import Count, Labels, Lengths, Positive, Several, Views
from unisono.models.parts.calibration import Calibration, calibrate, softmax, temperature
from unisono.models.parts.held_out import Classifier, discriminant, one_hot_ridges
from unisono.models.parts.kernel import SAMPLE, Features, gaussian, squared_distances
from unisono.models.parts.linear import BLOCK
from unisono.models.parts.posteriors import PosteriorAligner, check_varying
from unisono.models.parts.scalings import Kind, Scaling, scale, standardised

#: Scalings, in the order in which saved models number them.
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Penalties of the regression that are tried, beside a kernel matrix whose diagonal is 1.
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
#: Rows and landmarks by which a scaling and a width are chosen.
FEW_ROWS, FEW_LANDMARKS = 2000, 300
#: Widest view whose covariance matrix is made for discriminant analysis.
MOST_COLUMNS = 2048
#: Most numbers in a matrix of all training rows' scores.
MOST_SCORES = 2**27


class Candidate(NamedTuple):
    """What a view's classifier may be.

    Attributes
    ----------
    loss : float
        Log-loss of held-out training rows, calibrated.
    kind : str
        Scaling of the columns.
    width : float
        g of the Gaussian kernel; 0 for discriminant analysis.
    penalty : float
        Of the regression; 0 for discriminant analysis.
    """

    loss: float
    kind: Kind
    width: float
    penalty: float


class Fit(NamedTuple):
    """A classifier of scaled rows.

    Attributes
    ----------
    features : Features or None
        Of the kernel; None for discriminant analysis.
    classifier : Classifier
    calibration : Calibration
    """

    features: Features | None
    classifier: Classifier
    calibration: Calibration


class Posterior(PosteriorAligner):
    r"""Ranks by the probability that two items are of one class, from one calibrated classifier for each view.

    .. math:: P(\text{relevant}) = \sum_c p(c|x)\, q(c|y)

    By the probability ranking principle no order is better than that of this inner product, as far as the posteriors
    are right; their cosine throws certainty away. No loss joins the views, and pairs are not used: any row of its class
    may stand beside a row. (So views of which each has rows of its own are brought to paired rows by repeating some.)

    A view's classifier is kernel ridge regression of the indicators of the classes, or linear discriminant analysis
    with shrunk covariances (`unisono.models.parts.held_out` has both), whichever has the lower log-loss of scores that
    training rows got from the others. Scaling and width of the kernel exp(-g |x - z|^2 / m), with the median m of
    squared distances, are chosen likewise from all of `scalings` and `widths`, with penalties from .003 to 10, by 2,000
    rows and 300 landmarks; the chosen ones are fitted to all rows, the penalty chosen anew. The scores are calibrated
    (`unisono.models.parts.calibration`), and the posteriors of `draws` sets of landmarks averaged. Nothing is left to
    be tuned from outside. Work is O(n m^2 + n m d) for m landmarks, and O(n d^2) for the analysis.

    It knows the classes of its training rows and no others: an item of another gets the probabilities of those it is
    like. Within a class the order is that of certainty, not of likeness. The posteriors are embedded so that the cosine
    of two views is their inner product (`unisono.models.parts.posteriors.PosteriorAligner`), to seven digits, as single
    precision has them.

    Parameters
    ----------
    landmarks : int
        Training rows, drawn at random, that the kernel is approximated by (Nystroem); of fewer rows all.
    draws : int
        Sets of landmarks whose posteriors are averaged; where all rows are landmarks there is one.
    scalings : list of str
        Scalings to choose from, of columns as `standardise` leaves them. none: one for all columns. columns: each has
        deviation 1. whitened: principal axes with equal variance but for a ridge of a tenth of the mean. roots: as
        columns, of square roots, where no value is below 0.
    widths : list of float
        Values of g to choose from; larger ones are narrower kernels.
    lda : bool
        Whether discriminant analysis is among the candidates (of a view of at most 2,048 columns).
    seed : int
        Of rows and landmarks that are drawn.

    References
    ----------
    Robertson, "The probability ranking principle in IR", Journal of Documentation 33, 1977; Williams, Seeger, "Using
    the Nystroem method to speed up kernel machines", NIPS 2000; Kull et al., "Beyond temperature scaling", NeurIPS
    2019 (calibration by a matrix); Rasiwasia et al., ACM Multimedia 2010 (semantic matching).
    """

    #: It chooses among scalings, of which standardised columns are one.
    standardises = True
    needs_pairs = False

    landmarks: Several = 1000
    draws: Count = 3
    scalings: Annotated[list[Kind], Field(min_length=1)] = ["none", "columns", "whitened", "roots"]  # noqa: RUF012
    widths: Annotated[list[Positive], Field(min_length=1)] = [0.1, 0.3, 1.0, 3.0]  # noqa: RUF012
    lda: bool = True

    @property
    def chosen_(self) -> dict[str, Candidate]:
        """What was chosen for each view."""
        found = {view: self.arrays_[f"{view}.chosen"].tolist() for view in self.widths_}
        return {view: Candidate(loss, KINDS[int(kind)], *rest) for view, (loss, kind, *rest) in found.items()}

    def _scales(self, arrays: Views, frames: Lengths) -> dict[str, np.ndarray]:
        # Columns of unequal scale are no fault where the scaling is chosen.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super()._scales(arrays, frames)

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        names, classes, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
        if sizes.max() < 2:
            raise DataError(f"{self.name}: every class has one training row; a class is learned from several")
        if len(classes) * len(names) > MOST_SCORES:
            raise DataError(
                f"{self.name}: {len(classes)} training rows of {len(names)} classes; at most {MOST_SCORES} scores of "
                "rows are held, merge rare classes"
            )
        check_varying(self.name, views)
        for view, array in views.items():
            self._fit_view(view, array, classes, len(names))

    def _fit_view(self, view: str, array: np.ndarray, classes: np.ndarray, n_classes: int) -> None:
        # The same for every view: what one learns does not depend on which others there are.
        generator = np.random.default_rng(self.seed)
        chosen, scaling = self._kernel(view, array, classes, n_classes, generator)
        best, fit = self._regression(array, classes, n_classes, scaling, chosen, generator)
        fits = [fit]
        if self.lda and array.shape[1] <= MOST_COLUMNS:
            columns = standardised(array)
            analysis = discriminant(columns(array), classes, n_classes)
            calibration = calibrate(analysis.held_out, classes, seed=self.seed)
            if calibration.loss < best.loss:
                best, scaling = Candidate(calibration.loss, "columns", 0.0, 0.0), columns
                fits = [Fit(None, analysis, calibration)]
        if best.width and len(array) > self.landmarks:
            more = range(1, self.draws)
            fits += [self._regression(array, classes, n_classes, scaling, chosen, generator)[1] for _ in more]
        for place, fit in enumerate(fits):
            weights = fit.calibration.linear(fit.classifier.weights)
            arrays = {"weights": weights} if fit.features is None else fit.features.arrays(weights)
            arrays["bias"] = fit.calibration(fit.classifier.bias[None])[0]
            self.arrays_ |= {f"{view}.{place}.{name}": array for name, array in arrays.items()}
        self.arrays_ |= {
            f"{view}.chosen": np.array([best.loss, KINDS.index(best.kind), best.width, best.penalty]),
            f"{view}.mean": scaling.mean,
            f"{view}.scale": scaling.weights,
            f"{view}.roots": np.array([float(scaling.roots)]),
        }

    def _kernel(
        self, view: str, array: np.ndarray, classes: np.ndarray, n_classes: int, generator: np.random.Generator
    ) -> tuple[Candidate, Scaling]:
        """Choose a scaling and a width by few rows and landmarks."""
        rows = generator.permutation(len(array))[:FEW_ROWS]
        best: tuple[Candidate, Scaling] | None = None
        for kind in self.scalings:
            if (scaling := scale(array, kind)) is None:
                continue
            few = scaling(array[rows])
            unit = _median(few)
            for width in self.widths:
                features = _features(few[:FEW_LANDMARKS], width, unit)
                for penalty, found in one_hot_ridges(features(few), classes[rows], n_classes, PENALTIES):
                    loss = _loss(found.held_out, classes[rows])
                    if best is None or loss < best[0].loss:
                        best = Candidate(loss, kind, width, penalty), scaling
        if best is None:
            raise ConfigError(
                f"models.{self.name}.scalings: view {view!r} has values below 0, which have no roots; add columns"
            )
        return best

    def _regression(
        self,
        array: np.ndarray,
        classes: np.ndarray,
        n_classes: int,
        scaling: Scaling,
        chosen: Candidate,
        generator: np.random.Generator,
    ) -> tuple[Candidate, Fit]:
        """Fit the chosen kernel to all rows, by landmarks of their own; choose the penalty anew."""
        points = scaling(array[generator.permutation(len(array))[: self.landmarks]])
        features = _features(points, chosen.width, _median(points))
        made = np.empty((len(array), len(points)))
        for start in range(0, len(array), BLOCK):
            made[start : start + BLOCK] = features(scaling(array[start : start + BLOCK]))
        fits = one_hot_ridges(made, classes, n_classes, PENALTIES)
        penalty, classifier = min(fits, key=lambda fit: _loss(fit[1].held_out, classes))
        calibration = calibrate(classifier.held_out, classes, seed=self.seed)
        return chosen._replace(loss=calibration.loss, penalty=penalty), Fit(features, classifier, calibration)

    def _posteriors(self, view: str, array: np.ndarray) -> np.ndarray:
        learned = {key.removeprefix(f"{view}."): a for key, a in self.arrays_.items() if key.startswith(f"{view}.")}
        scaling = Scaling(learned["mean"], learned["scale"], bool(learned["roots"][0]))
        n_fits = next(place for place in itertools.count() if f"{place}.bias" not in learned)
        found = np.zeros((len(array), len(learned["0.bias"])))
        for start in range(0, len(array), BLOCK):
            rows = scaling(array[start : start + BLOCK])
            for place in range(n_fits):
                features = rows
                if f"{place}.landmarks" in learned:
                    features = gaussian(rows, learned[f"{place}.landmarks"], float(learned[f"{place}.width"][0]))
                logits = features @ learned[f"{place}.weights"] + learned[f"{place}.bias"]
                found[start : start + BLOCK] += softmax(logits) / n_fits
        return found


def _loss(scores: np.ndarray, classes: np.ndarray) -> float:
    """Log-loss of held-out scores at the best temperature, over rows whose class has another."""
    counted = np.bincount(classes)[classes] > 1
    if not counted.any():
        counted[:] = True
    return temperature(scores[counted], classes[counted])[1]


def _median(rows: np.ndarray) -> float:
    """Median of the squared distances of some rows; their mean, where more than half of them are equal."""
    some = rows[:SAMPLE]
    distances = squared_distances(some, some)[np.triu_indices(len(some), 1)]
    return float(np.median(distances)) or float(distances.mean()) or 1.0


def _features(landmarks: np.ndarray, width: float, unit: float) -> Features:
    """Features of the kernel exp(-g |x - z|^2 / m)."""
    return Features(float(np.sqrt(unit / (2 * width))), landmarks=landmarks)


MODEL = Posterior
