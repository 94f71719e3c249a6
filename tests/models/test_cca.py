"""CCA by either solver, against scikit-learn and on data that are hard to sum up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA as Peer

from unisono import models
from unisono.errors import ConfigError
from unisono.models.parts import linear


def create(name: str, **params: Any) -> models.Aligner:
    """Make a method as the formula has it, with a ridge and axes of equal weight."""
    return models.create(name, **{"ridge": 0.1, "scale": "none"} | params)


def two_views(n: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    """Eight and six columns of unequal scale around a latent of four."""
    generator = np.random.default_rng(seed)
    latent = generator.standard_normal((n, 4)) * (2, 1.5, 1, 0.5)
    made = {}
    for name, width in (("audio", 8), ("visual", 6)):
        signal = latent @ generator.standard_normal((4, width)) + generator.standard_normal((n, width))
        made[name] = signal * generator.uniform(0.1, 10, width) + generator.uniform(-50, 50, width)
    return made


def test_nipals_is_scikit_learns_cca() -> None:
    train, test = two_views(), two_views(30, seed=1)
    model = create("cca", n_components=3, solver="nipals").fit(train)
    peer = Peer(n_components=3).fit(train["audio"], train["visual"])
    expected = peer.transform(test["audio"], test["visual"])
    found = model.transform(test)
    for array, wanted in zip((found["audio"], found["visual"]), expected, strict=True):
        signs = np.sign(np.sum(array * wanted, axis=0))
        np.testing.assert_allclose(array, wanted * signs, rtol=1e-4, atol=1e-4)
    scores = peer.transform(train["audio"], train["visual"])
    wanted = [np.corrcoef(scores[0][:, k], scores[1][:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(model.correlations_, wanted, rtol=1e-6)


def test_both_solvers_agree_without_a_ridge() -> None:
    views = two_views()
    svd = create("cca", n_components=3, ridge=0.0).fit(views)
    nipals = create("cca", n_components=3, solver="nipals").fit(views)
    np.testing.assert_allclose(svd.correlations_[:2], nipals.correlations_[:2], atol=1e-4)


def test_nipals_leaves_a_constant_column_out_and_refuses_a_constant_view() -> None:
    views = two_views()
    plain = create("cca", n_components=2, solver="nipals").fit(views).transform(views)
    wider = dict(views, audio=np.column_stack([views["audio"], np.full(400, 0.1)]))
    found = create("cca", n_components=2, solver="nipals").fit(wider).transform(wider)
    np.testing.assert_allclose(found["visual"], plain["visual"], rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match="cca, view 'visual': every column is constant"):
        create("cca", n_components=2, solver="nipals").fit(dict(views, visual=np.ones((400, 3))))
    with pytest.raises(ConfigError, match=r"n_components: 7 is more .* at most 6"):
        create("cca", n_components=7, solver="nipals").fit(views)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_sums_over_blocks_equal_sums_at_once(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    x, y = ((100 * generator.standard_normal((50, d)) + 1000).astype(dtype) for d in (4, 3))
    weights = generator.uniform(size=50)
    weights /= weights.sum()
    classes = np.arange(50) % 3
    for block in (7, 50, 1024):
        monkeypatch.setattr(linear, "BLOCK", block)
        found = linear.covariances((x, y), weights=weights, classes=classes)
        centred = []
        for i, array in enumerate((x, y)):
            mean = weights @ array
            Z = array - mean
            centred.append(Z)
            np.testing.assert_allclose(found.means[i], mean, rtol=1e-12)
            np.testing.assert_allclose(np.tril(found.within[i]), np.tril((Z * weights[:, None]).T @ Z), atol=1e-8)
            np.testing.assert_allclose(found.sums[i], [Z[classes == c].sum(axis=0) for c in range(3)], atol=1e-8)
        np.testing.assert_allclose(found.own, centred[0].T @ centred[1] / 50, atol=1e-8)


def test_rows_sorted_by_size_and_a_large_offset_do_no_harm() -> None:
    views = two_views(3000)
    order = np.argsort(views["audio"][:, 0])
    plain = create("cca", n_components=3).fit(views)
    moved = {view: array[order] + 1e5 for view, array in views.items()}
    np.testing.assert_allclose(create("cca", n_components=3).fit(moved).correlations_, plain.correlations_, 1e-8)


def test_wide_matrices_take_the_iterative_path(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).standard_normal((60, 40))
    dense = linear.leading(matrix, 5)
    monkeypatch.setattr(linear, "DENSE", 1)
    sparse = linear.leading(matrix, 5)
    np.testing.assert_allclose(sparse[1], dense[1], rtol=1e-10)
    signs = np.sign(np.sum(sparse[0] * dense[0], axis=0))
    for found, wanted in ((sparse[0], dense[0]), (sparse[2], dense[2])):
        np.testing.assert_allclose(found * signs, wanted, atol=1e-8)
    again = linear.leading(matrix, 5)
    np.testing.assert_array_equal(sparse[0], again[0])
