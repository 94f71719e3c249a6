"""C-DCCA: what classes add to DCCA (the covariances are tested in test_correlation)."""

from __future__ import annotations

import warnings

import numpy as np

from unisono import metrics, models


def views_of_classes(n: int, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Views that share the class, and three numbers of the item's own that have nothing to do with it."""
    centres = np.random.default_rng(9)
    generator = np.random.default_rng(seed)
    labels = np.array(["a", "b", "c", "d"])[np.arange(n) % 4]
    own = generator.standard_normal((n, 3))
    made = {}
    for view, width in (("audio", 8), ("visual", 12)):
        made[view] = centres.standard_normal((4, width))[np.arange(n) % 4] + generator.standard_normal((n, width))
        made[view] += 2 * own @ centres.standard_normal((3, width))
    return made, labels


def test_finds_classes_where_own_pairs_share_more() -> None:
    views, labels = views_of_classes(80)
    test, test_labels = views_of_classes(200, seed=1)
    found = {}
    for name in ("dcca", "c_dcca"):
        model = models.create(
            name, n_components=3, layers={"other": [32, 6]}, epochs=20, min_steps=0, batch=40, dropout=0.0
        )
        embedded = model.fit(views, labels).transform(test)
        found[name] = metrics.mean_average_precision(embedded["audio"], embedded["visual"], test_labels, test_labels)
    assert found["c_dcca"] > found["dcca"] + 0.1


def test_weight_one_on_own_pairs_is_dcca() -> None:
    views, labels = views_of_classes(60)
    settings = {"n_components": 3, "layers": {"other": [8, 5]}, "epochs": 2, "min_steps": 0}
    blended = models.create("c_dcca", beta=1.0, **settings).fit(views, labels).transform(views)
    plain = models.create("dcca", **settings).fit(views).transform(views)
    for view in views:
        np.testing.assert_allclose(blended[view], plain[view], rtol=1e-4, atol=1e-5)


def test_a_class_of_one_item_and_a_constant_column() -> None:
    views, labels = views_of_classes(60)
    labels[7] = "lonely"
    views["audio"][:, 3] = 1e6 / 3
    settings = {"n_components": 3, "layers": {"other": [8, 5]}, "epochs": 2, "min_steps": 0}
    for name in ("c_dcca", "s_dcca"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            embedded = models.create(name, **settings).fit(views, labels).transform(views)
        assert np.isfinite(embedded["audio"]).all()


def test_components_beyond_the_classes_do_not_depend_on_rounding() -> None:
    """Without weight on own pairs, four classes give three components; the fourth follows own pairs."""
    views, labels = views_of_classes(60)
    settings = {"n_components": 4, "layers": {"other": [8, 6]}, "epochs": 2, "min_steps": 0, "pairs": "all"}
    model = models.create("c_dcca", **settings)
    embedded = model.fit(views, labels).transform(views)
    assert model.arrays_["correlations"][3] < 1e-5 < model.arrays_["correlations"][2]
    nearly = models.create("c_dcca", **settings, beta=1e-5).fit(views, labels).transform(views)
    for view in views:
        np.testing.assert_allclose(np.abs(embedded[view][:, 3]), np.abs(nearly[view][:, 3]), rtol=0.05, atol=0.05)
