"""C-KCCA against its dual written with explicit pair matrices, and against C-CCA on explicit features."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.test_kcca import centred_kernels, create, dual, related, same_up_to_signs
from unisono import models

#: Unequal classes, one of a single item.
LABELS = np.repeat([0, 1, 2, 3, 4], [20, 1, 12, 17, 10])


def test_exact_equals_the_dual_with_all_pairs() -> None:
    train, test = related(), related(20, seed=1)
    model = create("c_kcca", n_components=4, ridge=0.05).fit(train, LABELS)
    assert not model.approximate_
    same = (LABELS[:, None] == LABELS).astype(float)
    M = same / same.sum()
    D = np.diag(same.sum(axis=1)) / same.sum()
    within, across = centred_kernels(train, test, np.diag(D))
    values, vectors = dual(within, M, D, 0.05, 4)
    np.testing.assert_allclose(model.correlations_, values, atol=1e-6)
    found = model.transform(test)
    for view in train:
        same_up_to_signs(found[view], across[view] @ vectors[view], 2e-4)


def test_random_features_are_c_cca_on_those_features() -> None:
    views = related()
    options = {"exact_up_to": 10, "approximation": "random_features", "n_features": 20}
    model = create("c_kcca", n_components=4, ridge=0.05, **options).fit(views, LABELS)
    features = {}
    for view, array in views.items():
        phases = array @ model.arrays_[f"{view}.frequencies"]
        features[view] = np.hstack([np.cos(phases), np.sin(phases)]) / np.sqrt(10)
    linear = models.create("c_cca", scale="none", n_components=4, ridge=0.05 * 20).fit(features, LABELS)
    np.testing.assert_allclose(model.correlations_, linear.correlations_, rtol=1e-8)
    for view, array in model.transform(views).items():
        np.testing.assert_allclose(array, linear.transform(features)[view], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("approximation", ["nystroem", "random_features"])
def test_approximations_come_near_the_exact_solution(approximation: str) -> None:
    views = related(400)
    labels = (np.arctan2(views["audio"][:, 1], views["audio"][:, 0]) * 2 / np.pi).astype(int)
    exact = create("c_kcca", n_components=2).fit(views, labels)
    options = {"exact_up_to": 100, "n_features": 200, "approximation": approximation}
    found = create("c_kcca", n_components=2, seed=3, **options).fit(views, labels)
    assert found.approximate_
    np.testing.assert_allclose(found.correlations_, exact.correlations_, atol=0.02)


def test_components_beyond_the_classes_are_kept_with_a_warning() -> None:
    views = related()
    with pytest.warns(UserWarning, match="c_kcca: only 4 of 7 components carry covariance of the 5 classes"):
        model = create("c_kcca", n_components=7).fit(views, LABELS)
    np.testing.assert_array_equal(model.correlations_[4:], 0)
    first = create("c_kcca", n_components=4).fit(views, LABELS).transform(views)
    for view, array in model.transform(views).items():
        np.testing.assert_allclose(array[:, :4], first[view], rtol=1e-4, atol=1e-5)
        assert np.isfinite(array).all()
        assert (array[:, 4:].std(axis=0) > 1e-3).all()
