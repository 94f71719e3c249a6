"""C-CCA against CCA written on the explicitly enumerated pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import linalg

from unisono import models
from unisono.errors import ConfigError, DataError

#: Unequal classes, one of them of a single item.
SIZES = {"bee": 7, "cat": 12, "dog": 5, "elk": 1, "fox": 15, "gnu": 10, "hen": 8}


def create(name: str, **params: Any) -> models.Aligner:
    """Make a method as the formula has it, with a ridge and axes of equal weight."""
    return models.create(name, **{"ridge": 1.0, "scale": "none"} | params)


def classified(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views with class centres and a shared latent, rows shuffled."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat(list(SIZES), list(SIZES.values())))
    _, classes = np.unique(labels, return_inverse=True)
    latent = generator.standard_normal((len(SIZES), 5))[classes] + generator.standard_normal((len(labels), 5))
    views = {
        view: latent @ generator.standard_normal((5, d)) + generator.standard_normal((len(labels), d)) + 3
        for view, d in (("audio", 9), ("visual", 8))
    }
    return views, labels


def enumerated(labels: np.ndarray, pairs: str, seed: int) -> Iterator[tuple[int, int]]:
    """All pairs as the docstring describes them."""
    generator = np.random.default_rng(seed)
    for c in sorted(set(labels)):
        rows = np.flatnonzero(labels == c)
        if pairs == "one_to_one":
            yield from zip(rows, rows, strict=True)
        elif pairs == "all":
            yield from ((i, j) for i in rows for j in rows)
        else:
            circle = generator.permutation(rows)
            n = len(circle)
            yield from ((circle[a], circle[(a + s) % n]) for a in range(n) for s in range((n + 1) // 2))


def oracle(
    views: dict[str, np.ndarray], labels: np.ndarray, *, pairs: str, beta: float, ridge: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CCA of a weighted list of pairs as a generalised eigenproblem: values, and vectors of both views."""
    rows = np.array(list(enumerated(labels, pairs, seed)))
    own = np.column_stack([np.arange(len(labels))] * 2)
    weights = np.concatenate([np.full(len(rows), (1 - beta) / len(rows)), np.full(len(own), beta / len(own))])
    rows = np.concatenate([rows, own])
    X, Y = views["audio"][rows[:, 0]], views["visual"][rows[:, 1]]
    joint = np.cov(np.hstack([X, Y]).T, aweights=weights, ddof=0)
    d = X.shape[1]
    within = linalg.block_diag(joint[:d, :d], joint[d:, d:])
    for part in (slice(0, d), slice(d, None)):
        within[part, part] += ridge * np.mean(np.diag(joint)[part]) * np.eye(len(joint[part]))
    between = joint.copy()
    between[:d, :d] = between[d:, d:] = 0
    values, vectors = linalg.eigh(between, within)
    vectors = vectors[:, ::-1] * np.sqrt(2)
    return values[::-1], vectors[:d], vectors[d:]


def same_up_to_signs(one: np.ndarray, other: np.ndarray, tolerance: float = 1e-8) -> None:
    signs = np.sign(np.sum(one * other, axis=0))
    np.testing.assert_allclose(one, other * signs, atol=tolerance)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("pairs", ["all", "half", "one_to_one"])
@pytest.mark.parametrize("beta", [0.0, 0.2, 1.0])
def test_equals_cca_on_the_enumerated_pairs(pairs: str, beta: float, ridge: float) -> None:
    views, labels = classified()
    options = {"pairs": pairs, "beta": beta, "ridge": ridge}
    model = create("c_cca", n_components=6, seed=4, **options).fit(views, labels)
    values, A, B = oracle(views, labels, seed=4, **options)
    np.testing.assert_allclose(model.correlations_, values[:6], atol=1e-8)
    same_up_to_signs(model.arrays_["audio.weights"], A[:, :6])
    same_up_to_signs(model.arrays_["visual.weights"], B[:, :6])


def test_equation_5_5_term_by_term() -> None:
    views, labels = classified()
    x, y = views["audio"], views["visual"]
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if labels[i] == labels[j]]
    mean_x = np.mean([x[i] for i, _ in pairs], axis=0)
    mean_y = np.mean([y[j] for _, j in pairs], axis=0)
    C12 = np.mean([np.outer(x[i] - mean_x, y[j] - mean_y) for i, j in pairs], axis=0)
    C11 = np.mean([np.outer(x[i] - mean_x, x[i] - mean_x) for i, _ in pairs], axis=0)
    C22 = np.mean([np.outer(y[j] - mean_y, y[j] - mean_y) for _, j in pairs], axis=0)
    model = create("c_cca", n_components=6, ridge=0.0).fit(views, labels)
    A, B = model.arrays_["audio.weights"], model.arrays_["visual.weights"]
    np.testing.assert_allclose(A.T @ C12 @ B, np.diag(model.correlations_), atol=1e-8)
    np.testing.assert_allclose(A.T @ C11 @ A, np.eye(6), atol=1e-8)
    np.testing.assert_allclose(B.T @ C22 @ B, np.eye(6), atol=1e-8)
    np.testing.assert_allclose(model.arrays_["audio.mean"], mean_x, atol=1e-12)


def test_own_pairs_only_is_cca() -> None:
    views, labels = classified()
    one = create("c_cca", n_components=4, pairs="one_to_one", ridge=0.1).fit(views, labels).transform(views)
    two = create("c_cca", n_components=4, beta=1.0, ridge=0.1).fit(views, labels).transform(views)
    n = len(labels)
    cca = create("cca", n_components=4, ridge=0.1).fit(views).transform(views)
    for view in views:
        np.testing.assert_allclose(one[view], cca[view] * np.sqrt(n / (n - 1)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(two[view], one[view], rtol=1e-4, atol=1e-5)


def test_half_depends_on_the_seed_alone_and_takes_half() -> None:
    views, labels = classified()
    assert len(list(enumerated(labels, "half", 0))) == sum(n * ((n + 1) // 2) for n in SIZES.values())
    found = [
        create("c_cca", n_components=4, pairs="half", seed=seed).fit(views, labels).correlations_ for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-6


def test_components_beyond_the_classes_warn_and_are_the_limit_of_little_weight_on_own_pairs() -> None:
    views, labels = classified()
    with pytest.warns(UserWarning, match="c_cca: only 6 of 8 components carry covariance of the 7 classes"):
        model = create("c_cca", n_components=8).fit(views, labels)
    assert (model.correlations_[:6] > 1e-5).all()
    np.testing.assert_array_equal(model.correlations_[6:], 0)
    limit = create("c_cca", n_components=8, beta=1e-9).fit(views, labels)
    for view in views:
        same_up_to_signs(model.arrays_[f"{view}.weights"], limit.arrays_[f"{view}.weights"], 1e-4)
    joint = np.vstack([views["audio"]] * 2)
    with pytest.warns(UserWarning, match="only 6 of 8"):
        twice = create("c_cca", n_components=8).fit(
            {"audio": joint, "visual": np.vstack([views["visual"]] * 2)}, np.tile(labels, 2)
        )
    same_up_to_signs(twice.arrays_["audio.weights"], model.arrays_["audio.weights"], 1e-6)


def test_scale_weights_the_axes_and_so_silences_those_beyond_the_classes() -> None:
    views, labels = classified()
    with pytest.warns(UserWarning, match="only 6 of 8"):
        model = create("c_cca", n_components=8, scale="correlation").fit(views, labels)
    plain = create("c_cca", n_components=6).fit(views, labels)
    found, expected = model.transform(views), plain.transform(views)
    for view in views:
        np.testing.assert_allclose(found[view][:, :6], expected[view] * plain.correlations_, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(found[view][:, 6:], 0)


def test_bad_data_raise() -> None:
    views, labels = classified()
    with pytest.raises(ConfigError, match=r"models\.c_cca\.n_components: 9 is more .* at most 8"):
        create("c_cca", n_components=9).fit(views, labels)
    with pytest.raises(DataError, match="c_cca: all labels are 'cat'; at least two classes"):
        create("c_cca", n_components=2).fit(views, np.full(len(labels), "cat"))
    with pytest.raises(DataError, match="c_cca: learns from labels"):
        create("c_cca", n_components=2).fit(views)
    wider = dict(views, audio=np.column_stack([views["audio"], np.full(len(labels), 1e6 / 3)]))
    with pytest.raises(ConfigError, match="c_cca, view 'audio': the covariance is singular"):
        create("c_cca", n_components=2, ridge=0.0).fit(wider, labels)
    model = create("c_cca", n_components=2).fit(wider, labels)
    np.testing.assert_allclose(model.arrays_["audio.weights"][-1], 0, atol=1e-12)
    model.fit(dict(views, visual=wider["audio"]), labels)
    with pytest.raises(ConfigError, match="c_cca, view 'visual': the covariance is singular"):
        create("c_cca", n_components=2).fit(dict(views, visual=np.ones((len(labels), 4))), labels)


def test_every_item_a_class_of_its_own_is_cca() -> None:
    views, labels = classified()
    alone = create("c_cca", n_components=4, ridge=0.1).fit(views, np.arange(len(labels)))
    cca = create("cca", n_components=4, ridge=0.1).fit(views)
    np.testing.assert_allclose(alone.correlations_, cca.correlations_, rtol=1e-10)
