"""How far a linear classifier tells the classes of a data set apart, by one view's features alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unisono.datasets.loading import Dataset, load_folder
from unisono.models.base import average


def accuracy(data: Dataset, view: str) -> np.ndarray:
    """Cross-validate a linear classifier on one view.

    Ridge regression on the classes' indicators, features standardised by the training part. The ridge is the number of
    dimensions, so that nothing is tuned.

    Parameters
    ----------
    data : Dataset
        With labels and folds.
    view : str
        Vectors, or sequences that are averaged over their real frames.

    Returns
    -------
    np.ndarray [shape=(n_folds,), dtype=float64]
        Accuracy in each fold, a fraction.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if data.labels is None or data.folds is None:
        raise ValueError("labels and folds are needed")
    vectors = data.views[view]
    if vectors.ndim == 3:
        vectors = average(vectors, data.lengths.get(view))
    found = []
    for fold in np.unique(data.folds):
        train, test = data.folds != fold, data.folds == fold
        classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=vectors.shape[1]))
        found.append(classifier.fit(vectors[train], data.labels[train]).score(vectors[test], data.labels[test]))
    return np.array(found)


def lines(folder: Path) -> Iterator[str]:
    """Yield a Markdown table of every view's accuracy; nothing where a data set has no labels, folds or features.

    Parameters
    ----------
    folder : Path
        The built data set.
    """
    if not (folder / "features").is_dir():
        return
    data = load_folder(folder)
    if data.labels is None or data.folds is None or len(np.unique(data.folds)) < 2:
        return
    largest = np.unique(data.labels, return_counts=True)[1].max() / len(data)
    yield "| features | accuracy | folds |"
    yield "| :-- | --: | --: |"
    for view in data.views:
        found = accuracy(data, view)
        yield f"| {view} | {found.mean():.3f} ± {found.std(ddof=1):.3f} | {len(found)} |"
    yield ""
    yield f"Always guessing the most frequent class: {largest:.3f}. Mean ± standard deviation over folds."
