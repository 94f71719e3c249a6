"""KCCA: exact against the generalised eigenproblem in the dual, approximations against the exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg
from scipy.spatial.distance import cdist, pdist

from unisono import metrics, models
from unisono.errors import ConfigError
from unisono.models.parts import linear


def create(name: str, **params: Any) -> Any:
    """Make a method with nothing to be chosen and axes of equal weight."""
    return models.create(name, **{"ridge": 0.005, "width": "median", "scale": "none"} | params)


def related(n: int = 60, seed: int = 0) -> dict[str, np.ndarray]:
    """A circle and its angle doubled, with noise: no linear relation."""
    generator = np.random.default_rng(seed)
    angle = generator.uniform(0, 2 * np.pi, n)
    audio = np.column_stack([np.cos(angle), np.sin(angle), generator.standard_normal(n)])
    visual = np.column_stack([np.cos(2 * angle), np.sin(2 * angle)])
    return {
        "audio": audio + 0.1 * generator.standard_normal(audio.shape),
        "visual": visual + 0.1 * generator.standard_normal(visual.shape),
    }


def centred_kernels(
    train: dict[str, np.ndarray], test: dict[str, np.ndarray], weights: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Kernel matrices of training rows, and of test with training rows, centred by the weighted mean."""
    n = len(train["audio"])
    w = np.full(n, 1 / n) if weights is None else weights
    H = np.eye(n) - np.outer(np.ones(n), w)
    within, across = {}, {}
    for view in train:
        width = np.median(pdist(train[view]))
        K, T = (np.exp(-cdist(rows[view], train[view], "sqeuclidean") / (2 * width**2)) for rows in (train, test))
        within[view] = H @ K @ H.T
        across[view] = (T - w @ K) @ H.T
    return within, across


def dual(
    kernels: dict[str, np.ndarray], M: np.ndarray, D: np.ndarray, ridge: float, k: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Solve max a^T Kx M Ky b with a^T (K D K + kappa K) a = 1 in both views: correlations, and a and b."""
    Kx, Ky = kernels["audio"], kernels["visual"]
    n = len(Kx)
    between = np.zeros((2 * n, 2 * n))
    between[:n, n:] = Kx @ M @ Ky
    between += between.T
    blocks = []
    for K in (Kx, Ky):
        kappa = ridge * np.trace(D @ K)
        blocks.append(K @ D @ K + kappa * K + 1e-12 * np.eye(n))
    values, vectors = linalg.eigh(between, linalg.block_diag(*blocks))
    vectors = vectors[:, ::-1][:, :k] * np.sqrt(2)
    return values[::-1][:k], {"audio": vectors[:n], "visual": vectors[n:]}


def same_up_to_signs(one: np.ndarray, other: np.ndarray, tolerance: float) -> None:
    signs = np.sign(np.sum(one * other, axis=0))
    np.testing.assert_allclose(one, other * signs, atol=tolerance)


@pytest.mark.parametrize("ridge", [0.01, 0.3])
def test_exact_equals_the_eigenproblem_in_the_dual(ridge: float) -> None:
    train, test = related(), related(20, seed=1)
    model = create("kcca", n_components=4, ridge=ridge).fit(train)
    assert not model.approximate_
    within, across = centred_kernels(train, test)
    values, vectors = dual(within, np.eye(60) / 60, np.eye(60) / 60, ridge, 4)
    np.testing.assert_allclose(model.correlations_, values, atol=1e-6)
    found = model.transform(test)
    for view in train:
        same_up_to_signs(found[view], across[view] @ vectors[view], 2e-4)


def test_linear_kernel_limit_is_cca() -> None:
    """A very wide kernel is linear: the first correlations are those of CCA with the ridge on the trace."""
    views = related()
    wide = create("kcca", n_components=2, width=300.0, ridge=0.01).fit(views)
    X, Y = (array - array.mean(axis=0) for array in views.values())
    C = [Z.T @ Z / 60 for Z in (X, Y)]
    L = [linalg.cholesky(c + 0.01 * np.trace(c) * np.eye(len(c)), lower=True) for c in C]
    T = linalg.solve(L[0], X.T @ Y / 60) @ linalg.inv(L[1]).T
    np.testing.assert_allclose(wide.correlations_, linalg.svdvals(T)[:2], atol=1e-3)


@pytest.mark.parametrize("approximation", ["nystroem", "random_features"])
def test_approximations_come_near_the_exact_solution(approximation: str) -> None:
    train, test = related(400), related(100, seed=1)
    exact = create("kcca", n_components=2).fit(train)
    found = create("kcca", n_components=2, exact_up_to=100, approximation=approximation, n_features=200, seed=3).fit(
        train
    )
    assert found.approximate_
    np.testing.assert_allclose(found.correlations_, exact.correlations_, atol=0.05)
    for view, array in found.transform(test).items():
        wanted = exact.transform(test)[view]
        # The two correlations are nearly equal, so that only the plane of both axes is well defined.
        planes = [linalg.orth(scores - scores.mean(axis=0)) for scores in (array, wanted)]
        assert (linalg.svdvals(planes[0].T @ planes[1]) > 0.95).all()
    assert metrics.recall_at_k(*exact.transform(test).values(), 10) > 5 * metrics.chance_recall(10, 100)


def test_all_rows_as_landmarks_are_exact() -> None:
    views = related()
    exact = create("kcca", n_components=3).fit(views)
    every = create("kcca", n_components=3, exact_up_to=0, n_features=60).fit(views)
    np.testing.assert_allclose(every.correlations_, exact.correlations_, rtol=1e-8)
    assert every.approximate_


def test_many_features_take_the_iterative_path(monkeypatch: pytest.MonkeyPatch) -> None:
    views = related()
    dense = create("kcca", n_components=3).fit(views)
    monkeypatch.setattr(linear, "DENSE", 1)
    iterative = create("kcca", n_components=3).fit(views)
    np.testing.assert_allclose(iterative.correlations_, dense.correlations_, rtol=1e-8)


def test_equal_rows_and_constant_columns_do_no_harm() -> None:
    views = related()
    twice = {view: np.vstack([array, array]) for view, array in views.items()}
    model = create("kcca", n_components=3, width=1.0).fit(views)
    doubled = create("kcca", n_components=3, width=1.0).fit(twice)
    np.testing.assert_allclose(doubled.correlations_, model.correlations_, rtol=1e-6)
    wider = dict(views, audio=np.column_stack([views["audio"], np.full(60, 7.0)]))
    constant = create("kcca", n_components=3, width=1.0).fit(wider)
    np.testing.assert_allclose(constant.correlations_, model.correlations_, rtol=1e-8)


@pytest.mark.parametrize("name", ["kcca", "c_kcca"])
def test_bad_settings_raise(name: str) -> None:
    views, labels = related(), np.arange(60) % 3
    with pytest.raises(ConfigError, match=f"models.{name}.n_components: 60 is more .* at most 59 .*lower n_comp"):
        create(name, n_components=60).fit(views, labels)
    with pytest.raises(ConfigError, match=r"at most 4 .*4 features"):
        create(name, n_components=5, exact_up_to=10, n_features=4).fit(views, labels)
    constant = dict(views, visual=np.ones((60, 2)))
    with pytest.raises(ConfigError, match=f"models.{name}.width: half of the rows of view 'visual' are equal"):
        create(name, n_components=2).fit(constant, labels)
    with pytest.raises(ConfigError, match=f"{name}, view 'visual': the covariance is singular"):
        create(name, n_components=2, width=1.0).fit(constant, labels)
    with pytest.raises(ConfigError, match=f"models.{name}.width"):
        create(name, width="mean")
    with pytest.raises(ConfigError, match=f"models.{name}.n_features: .*multiple of 2"):
        create(name, n_features=33)


def test_width_by_number_is_the_deviation_of_the_kernel() -> None:
    views = related()
    model = create("kcca", n_components=2, width=0.4).fit(views)
    assert {view: model.arrays_[f"{view}.width"].item() for view in views} == {"audio": 0.4, "visual": 0.4}
    median = create("kcca", n_components=2).fit(views)
    assert median.arrays_["audio.width"].item() == pytest.approx(np.median(pdist(views["audio"])))
