"""S-DCCA: its parameters (the covariances are tested in test_correlation)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models.test_c_dcca import views_of_classes
from unisono import metrics, models

SETTINGS: dict[str, Any] = {
    "n_components": 3,
    "layers": {"other": [32, 6]},
    "epochs": 30,
    "min_steps": 0,
    "batch": 40,
    "dropout": 0.0,
}


@pytest.mark.parametrize("extend", ["none", "half", "all"])
def test_finds_classes(extend: str) -> None:
    views, labels = views_of_classes(80)
    test, test_labels = views_of_classes(200, seed=1)
    embedded = models.create("s_dcca", extend=extend, **SETTINGS).fit(views, labels).transform(test)
    found = metrics.mean_average_precision(embedded["audio"], embedded["visual"], test_labels, test_labels)
    assert found > 1.5 * metrics.chance_map(test_labels, test_labels)


def test_balanced_classes_without_weight_on_training_pairs_are_pairs_of_different_items() -> None:
    """With sigma 0, extending the training pairs changes nothing."""
    views, labels = views_of_classes(40)
    made = [
        models.create("s_dcca", extend=extend, sigma=0.0, **(SETTINGS | {"epochs": 2, "min_steps": 0})).fit(
            views, labels
        )
        for extend in ("none", "all")
    ]
    for key, array in made[0].arrays_.items():
        np.testing.assert_allclose(made[1].arrays_[key], array, rtol=1e-3, atol=1e-4)


def test_widths_may_differ() -> None:
    views, labels = views_of_classes(60)
    model = models.create("s_dcca", layers={"audio": [8, 4], "other": [16, 12]}, n_components=4, epochs=2, min_steps=0)
    embedded = model.fit(views, labels).transform(views)
    assert embedded["audio"].shape == embedded["visual"].shape == (60, 4)
