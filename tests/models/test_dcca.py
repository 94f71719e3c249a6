"""DCCA: what it learns, beyond the objective (test_correlation)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unisono import metrics, models
from unisono.models.parts import correlation, objective


def nonlinear_views(n: int) -> dict[str, np.ndarray]:
    """Views that share a latent, one of them only its square: no linear correlation."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n, 2))
    return {"audio": np.tile(latent, 3), "visual": np.tile(latent**2, 2) + 0.05 * generator.standard_normal((n, 4))}


def test_finds_what_cca_cannot() -> None:
    views = nonlinear_views(600)
    train = {view: array[:500] for view, array in views.items()}
    test = {view: array[500:] for view, array in views.items()}
    found = {}
    for name, params in (
        ("cca", {}),
        ("dcca", {"layers": {"other": [32, 32, 4]}, "epochs": 30, "min_steps": 0, "dropout": 0.0}),
    ):
        embedded = models.create(name, n_components=2, **params).fit(train).transform(test)
        found[name] = metrics.recall_at_k(embedded["audio"], embedded["visual"], 10)
    assert found["dcca"] > 2 * found["cca"]


def test_closing_cca_has_the_correlations_of_the_outputs() -> None:
    """Its sum is the objective, at the trained networks and on all rows."""
    views = nonlinear_views(100)
    model = models.create("dcca", n_components=4, layers={"other": [8, 4]}, epochs=2, min_steps=0, dropout=0.0).fit(
        views
    )
    embedded = model.transform(views)
    X, Y = (torch.tensor(embedded[view]) for view in ("audio", "visual"))
    # Covariances of the embeddings are not the identity: the ridge is on the outputs' scale.
    assert isinstance(model, correlation.DeepCorrelation)
    cross = objective.moments(X, Y, objective.one_to_one(torch.zeros(100)))[-1].numpy()
    np.testing.assert_allclose(cross, np.diag(model.correlations_), atol=1e-5)


def test_labels_do_not_matter() -> None:
    views = nonlinear_views(60)
    made = [
        models.create("dcca", n_components=2, layers={"other": [4, 3]}, epochs=2, min_steps=0).fit(views, labels)
        for labels in (None, np.arange(60) % 3)
    ]
    for key, array in made[0].arrays_.items():
        np.testing.assert_array_equal(made[1].arrays_[key], array)


def test_a_wide_network_gets_two_threads_and_gives_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    views = nonlinear_views(60)
    threads = []
    original = correlation.correlation

    def spied(*args: object, **kwargs: object) -> torch.Tensor:
        threads.append(torch.get_num_threads())
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(correlation, "correlation", spied)
    before = torch.get_num_threads()
    for limit in (correlation.LARGE, 10):
        monkeypatch.setattr(correlation, "LARGE", limit)
        models.create("dcca", n_components=2, layers={"other": [4, 3]}, epochs=1, min_steps=0).fit(views)
    assert threads == [1, 2]
    assert torch.get_num_threads() == before


def test_few_rows_get_more_epochs() -> None:
    views = nonlinear_views(60)
    settings = {"n_components": 2, "layers": {"other": [4, 3]}, "batch": 20}
    assert len(models.create("dcca", epochs=2, min_steps=10, **settings).fit(views).history_) == 4
    assert len(models.create("dcca", epochs=5, min_steps=10, **settings).fit(views).history_) == 5
