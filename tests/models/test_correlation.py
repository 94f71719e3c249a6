"""The correlation objective against canonical correlations, finite differences and lists of pairs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg

from unisono import models
from unisono.errors import ConfigError, TrainingError
from unisono.models.parts import deep, objective

PAIRINGS = {
    "one_to_one": objective.one_to_one,
    "all": lambda codes: objective.paired(codes, pairs="all", beta=0.0),
    "half": lambda codes: objective.paired(codes, pairs="half", beta=0.0),
    "blend": lambda codes: objective.paired(codes, pairs="all", beta=0.2),
    "clusters": lambda codes: objective.clusters(codes, sigma=0.2, extend="none"),
    "extend1": lambda codes: objective.clusters(codes, sigma=0.4, extend="half"),
    "extend2": lambda codes: objective.clusters(codes, sigma=0.4, extend="all"),
}
every_pairing = pytest.mark.parametrize("pairing", PAIRINGS)
every_norm = pytest.mark.parametrize("norm", ["trace", "frobenius"])
every_method = pytest.mark.parametrize("name", ["dcca", "c_dcca", "s_dcca", "lstm_c_cca"])


def outputs(n: int = 20, p: int = 3, q: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Correlated outputs of two networks, and four classes of unequal size, one of a single row."""
    generator = np.random.default_rng(3)
    latent = generator.standard_normal((n, 3))
    X, Y = (latent @ generator.standard_normal((3, d)) + generator.standard_normal((n, d)) for d in (p, q))
    codes = np.concatenate([[7], np.arange(n - 1) % 2 * 3, [9, 9, 9]])[:n]
    codes[-3:] = 9
    return torch.tensor(X), torch.tensor(Y), torch.tensor(codes)


def canonical_correlations(X: np.ndarray, Y: np.ndarray, weights: np.ndarray, ridge: float) -> np.ndarray:
    """Solve CCA of a list of weighted pairs as a generalised eigenproblem."""
    X, Y = (a - np.average(a, axis=0, weights=weights) for a in (X, Y))
    joint = np.hstack([X, Y])
    total = (joint * weights[:, None]).T @ joint / weights.sum()
    p = X.shape[1]
    within, between = linalg.block_diag(total[:p, :p], total[p:, p:]), total.copy()
    between[:p, :p] = between[p:, p:] = 0
    for part in (slice(0, p), slice(p, None)):
        within[part, part] += ridge * np.mean(np.diag(total)[part]) * np.eye(len(total[part]))
    return np.asarray(linalg.eigh(between, within, eigvals_only=True)[::-1][: min(p, Y.shape[1])])


def listed(codes: np.ndarray, pairing: str) -> list[tuple[int, int, float]]:
    """Every pair with its weight, as a plain loop over the definitions."""
    n, classes = len(codes), np.unique(codes)
    rows = {c: np.flatnonzero(codes == c) for c in classes}
    found: list[tuple[int, int, float]] = []

    def add(share: float, pairs: list[tuple[int, int, float]]) -> None:
        total = sum(weight for _, _, weight in pairs)
        found.extend((i, j, share * weight / total) for i, j, weight in pairs)

    def training(c: Any, kind: str) -> list[tuple[int, int, float]]:
        size = len(rows[c])
        partners = {"none": 1, "half": (size + 1) // 2, "all": size}[kind]
        chance = (partners - 1) / (size - 1) if size > 1 else 0
        return [(i, j, 1.0 if i == j else chance) for i in rows[c] for j in rows[c]]

    if pairing == "one_to_one":
        add(1, [(i, i, 1.0) for i in range(n)])
    elif pairing in ("all", "half", "blend"):
        beta = 0.2 if pairing == "blend" else 0.0
        kind = "half" if pairing == "half" else "all"
        add(beta, [(i, i, 1.0) for i in range(n)])
        add(1 - beta, [pair for c in classes for pair in training(c, kind)])
    else:
        sigma, kind = {"clusters": (0.2, "none"), "extend1": (0.4, "half"), "extend2": (0.4, "all")}[pairing]
        several = [c for c in classes if len(rows[c]) > 1]
        for c in classes:
            add(sigma / len(classes), training(c, kind))
        for c in several:
            add((1 - sigma) / len(several), [(i, j, 1.0) for i in rows[c] for j in rows[c] if i != j])
    return found


@every_pairing
def test_covariances_equal_those_of_the_list_of_pairs(pairing: str) -> None:
    X, Y, codes = outputs()
    first, second, weights = (np.array(column) for column in zip(*listed(codes.numpy(), pairing), strict=True))
    assert weights.sum() == pytest.approx(1)
    x, y = X.numpy()[first], Y.numpy()[second]
    mean_x, mean_y = weights @ x, weights @ y
    x, y = x - mean_x, y - mean_y
    expected = mean_x, mean_y, *((a * weights[:, None]).T @ b for a, b in ((x, x), (y, y), (x, y)))
    for found, wanted in zip(objective.moments(X, Y, PAIRINGS[pairing](codes)), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-8, atol=1e-12)


@every_pairing
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_norms_are_of_the_canonical_correlations_over_the_pairs(pairing: str, ridge: float) -> None:
    X, Y, codes = outputs()
    first, second, weights = (np.array(column) for column in zip(*listed(codes.numpy(), pairing), strict=True))
    correlations = canonical_correlations(X.numpy()[first], Y.numpy()[second], weights, ridge)
    assert correlations.max() <= 1
    pairs = PAIRINGS[pairing](codes)
    trace = objective.correlation(X, Y, pairs, ridge=ridge)
    frobenius = objective.correlation(X, Y, pairs, ridge=ridge, norm="frobenius")
    assert float(trace) == pytest.approx(correlations.sum(), rel=1e-8)
    assert float(frobenius) == pytest.approx(np.sqrt((correlations**2).sum()), rel=1e-8)


@every_norm
@every_pairing
def test_gradient_equals_finite_differences(pairing: str, norm: objective.Norm) -> None:
    X, Y, codes = outputs()
    pairs = PAIRINGS[pairing](codes)

    def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return objective.correlation(x, y, pairs, ridge=0.1, norm=norm)

    assert torch.autograd.gradcheck(value, (X.requires_grad_(), Y.requires_grad_()))


@every_norm
def test_gradient_where_classes_leave_correlations_at_zero(norm: objective.Norm) -> None:
    """Two classes leave one canonical correlation above zero, of three."""
    X, Y, _ = outputs()
    pairs = objective.paired(torch.arange(20) % 2, pairs="all", beta=0.0)

    def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return objective.correlation(x, y, pairs, ridge=0.1, norm=norm)

    assert torch.autograd.gradcheck(value, (X.requires_grad_(), Y.requires_grad_()))


@every_norm
def test_equal_correlations_have_a_finite_gradient(norm: objective.Norm) -> None:
    """Orthogonal columns, twice: all canonical correlations are 1 / (1 + ridge)."""
    X = torch.linalg.qr(torch.tensor(np.random.default_rng(0).standard_normal((12, 4))))[0]
    X = torch.linalg.qr(X - X.mean(dim=0))[0].requires_grad_()
    Y = X.detach().clone().requires_grad_()
    value = objective.correlation(X, Y, objective.one_to_one(torch.zeros(12)), ridge=0.25, norm=norm)
    assert value.item() == pytest.approx({"trace": 4, "frobenius": 2}[norm] / 1.25)
    value.backward()
    for outputs_ in (X, Y):
        assert outputs_.grad is not None
        assert torch.isfinite(outputs_.grad).all()


def test_float32_outputs_are_scored_in_float64() -> None:
    X, Y, codes = outputs()
    pairs = objective.one_to_one(codes)
    value = objective.correlation(X.float(), Y.float(), pairs, ridge=0.1)
    assert value.dtype == torch.float64
    assert float(value) == pytest.approx(float(objective.correlation(X, Y, pairs, ridge=0.1)), rel=1e-6)


def test_classes_of_one_row_each_are_one_to_one() -> None:
    X, Y, _ = outputs()
    codes = torch.arange(20)
    expected = objective.moments(X, Y, objective.one_to_one(codes))
    for name in ("all", "half", "blend", "clusters", "extend1", "extend2"):
        for found, wanted in zip(objective.moments(X, Y, PAIRINGS[name](codes)), expected, strict=True):
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-12)


def classed_views(n: int = 120, n_frames: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Views of four classes, whose centres lie two deviations apart."""
    generator = np.random.default_rng(5)
    labels = np.arange(n) % 4
    made = {}
    for view, width in (("audio", 12), ("visual", 16)):
        shape = (n, n_frames, width) if n_frames else (n, width)
        centres = 2 * generator.standard_normal((4, width))[labels]
        made[view] = (generator.standard_normal(shape) + (centres[:, None] if n_frames else centres)).astype(np.float32)
    return made, labels


def small(name: str, **params: Any) -> models.Aligner:
    """Return a method with narrow networks."""
    layers = {"other": [8, 8, 8]} if name == "lstm_c_cca" else {"other": [16, 8]}
    given: dict[str, Any] = {"n_components": 3, "layers": layers, "epochs": 4, "batch": 40}
    if name == "lstm_c_cca":
        given["outputs"] = 8
    else:
        given["min_steps"] = 0
    return models.create(name, seed=2, **(given | params))


@every_method
def test_interrupted_training_ends_as_if_it_had_not_been(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deep, "CHECKPOINT_S", 0.0)
    views, labels = classed_views()
    whole = small(name).fit(views, labels)
    checkpoint = tmp_path / "checkpoint"
    steps = 0
    step = torch.optim.RMSprop.step

    def killed(self: torch.optim.RMSprop) -> None:
        nonlocal steps
        steps += 1
        if steps == 8:
            raise KeyboardInterrupt
        step(self)

    monkeypatch.setattr(torch.optim.RMSprop, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        small(name).fit(views, labels, checkpoint=checkpoint)
    assert checkpoint.is_file()
    steps = 100
    resumed = small(name).fit(views, labels, checkpoint=checkpoint)
    assert steps == 106, "three steps an epoch: the last two epochs are left to do"
    assert resumed.history_ == whole.history_
    for key, array in whole.arrays_.items():
        np.testing.assert_array_equal(resumed.arrays_[key], array)
    assert not checkpoint.exists()


@every_method
def test_divergence_stops_with_a_reason(name: str) -> None:
    views, labels = classed_views()
    # The first step leaves the range of the networks' numbers, whatever the gradients.
    rate = float(np.finfo(np.float32).max)
    with pytest.raises(TrainingError, match=f"{name}: training diverged in epoch .*lower models.{name}.learning_rate"):
        small(name, learning_rate=rate, epochs=30).fit(views, labels)


@every_method
def test_batch_not_above_the_outputs_width(name: str) -> None:
    views, labels = classed_views()
    with pytest.warns(UserWarning, match=f"{name}: batches of 8 rows for outputs 8 wide"):
        found = small(name, batch=8, epochs=1).fit(views, labels).transform(views)
    assert np.isfinite(found["audio"]).all()
    with pytest.raises(ConfigError, match=f"raise models.{name}.batch, narrow the last layer, or set a ridge"):
        small(name, batch=8, ridge=0.0).fit(views, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(name, batch=10, epochs=1).fit(views, labels)


@every_method
def test_more_components_than_outputs_raise(name: str) -> None:
    views, labels = classed_views()
    with pytest.raises(ConfigError, match=f"models.{name}.n_components: 9 is more .* at most 8 .*lower n_components"):
        small(name, n_components=9).fit(views, labels)


@every_method
def test_training_raises_the_correlation(name: str) -> None:
    views, labels = classed_views()
    history = small(name, epochs=12, dropout=0.0, learning_rate=5e-3).fit(views, labels).history_
    assert len(history) == 12
    assert history[-1]["loss"] < history[0]["loss"] - 0.3
