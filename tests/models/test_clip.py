"""CLIP: the loss against a plain loop, gradients, the start from CCA, the scale, the epoch that is kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.small import two_views
from unisono import metrics, models
from unisono.errors import ConfigError
from unisono.models import clip

SMALL: dict[str, Any] = {"layers": {"other": [16, 5]}, "epochs": 3, "min_steps": 0, "batch_size": 50}


def pairs(n: int, seed: int, *, shuffled: bool = False) -> dict[str, np.ndarray]:
    """Two views of a shared latent of six dimensions, seen through other maps, one of them bent."""
    generator, fixed = np.random.default_rng(seed), np.random.default_rng(9)
    latent = generator.standard_normal((n, 6))
    views = {}
    for view, width in (("audio", 20), ("lyrics", 15)):
        array = latent @ fixed.standard_normal((6, width))
        views[view] = array + 0.5 * generator.standard_normal(array.shape)
    views["lyrics"] = np.tanh(views["lyrics"] / 2)
    if shuffled:
        views["lyrics"] = views["lyrics"][generator.permutation(n)]
    return views


def fit(views: dict[str, np.ndarray], **params: Any) -> models.Aligner:
    model = models.create("clip", **SMALL | params)
    model.progress = False
    return model.fit(views)


@pytest.mark.parametrize("log_scale", [0.0, 2.5, math.log(100), 9.0])
def test_loss_equals_a_loop(log_scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    scale = min(math.exp(log_scale), 100)
    u, w = (each.numpy() / np.linalg.norm(each.numpy(), axis=1, keepdims=True) for each in (one, other))
    total = 0.0
    for i in range(6):
        for logits in (scale * (w @ u[i]), scale * (u @ w[i])):
            total -= logits[i] - logits.max() - math.log(np.exp(logits - logits.max()).sum())
    found = clip.pair_loss(one, other, torch.tensor(log_scale, dtype=torch.float64)).item()
    assert found == pytest.approx(total / 12, rel=1e-9)
    same = torch.ones(6, 4)
    assert clip.pair_loss(same, same, torch.tensor(log_scale)).item() == pytest.approx(math.log(6))


def test_gradients_equal_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(5, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(clip.pair_loss, (one, other, scale))


def test_starts_where_cca_ends() -> None:
    views = pairs(150, seed=0)
    still = {"epochs": 1, "learning_rate": 1e-12, "layers": {"other": [16, 15]}}
    found = fit(views, ridge=0.3, **still).transform(views)
    cca = models.create("cca", n_components=15, ridge=0.3, standardise="columns").fit(views).transform(views)
    for view in views:
        np.testing.assert_allclose(found[view], cca[view], rtol=1e-3, atol=1e-4)


def test_outputs_that_are_more_than_the_axes_of_cca_are_zero_at_first() -> None:
    views = pairs(60, seed=0)
    found = fit(views, epochs=1, learning_rate=1e-12, layers={"other": [16, 40]}).transform(views)
    for embedded in found.values():
        assert np.abs(embedded[:, :15]).max(axis=0).min() > 1e-3
        np.testing.assert_allclose(embedded[:, 15:], 0, atol=1e-6)


def test_scratch_knows_nothing_of_cca(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(clip, "closed_cca", refused)
    fit(pairs(60, seed=0), init="scratch")
    with pytest.raises(AssertionError):
        fit(pairs(60, seed=0))


def test_a_covariance_that_is_singular_says_so() -> None:
    views = pairs(60, seed=0)
    views["audio"] = np.hstack([views["audio"], views["audio"]])
    with pytest.raises(ConfigError, match=r"clip, view 'audio': the covariance is singular .*raise ridge"):
        fit(views, ridge=0.0)
    assert np.isfinite(fit(views, ridge=0.1).transform(views)["audio"]).all()


@pytest.mark.parametrize("init", ["cca", "scratch"])
def test_finds_the_pairs_of_unseen_items_and_none_of_shuffled_ones(init: Any) -> None:
    test = pairs(100, seed=1)
    chance = metrics.chance_recall(10, 100)
    settings = {"init": init, "min_steps": 400, "learning_rate": 2e-3, "layers": {"other": [64, 16]}}
    for shuffled in (False, True):
        found = fit(pairs(400, seed=0, shuffled=shuffled), **settings).transform(test)
        recalls = [metrics.recall_at_k(*pair, 10) for pair in (tuple(found.values()), tuple(found.values())[::-1])]
        if shuffled:
            # A standard error of .03.
            assert np.mean(recalls) < chance + 0.1
        else:
            assert np.mean(recalls) > chance + 0.5


def test_labels_have_no_part() -> None:
    views, labels = two_views(noise=0.6)
    one, two = (models.create("clip", **SMALL).fit(views, given) for given in (labels, None))
    for key, array in one.arrays_.items():
        np.testing.assert_array_equal(two.arrays_[key], array)


def test_the_scale_is_learned() -> None:
    """Pairs that are told apart ever better ask for a larger one."""
    views = pairs(200, seed=0)
    seen: list[float] = []
    model: Any = models.create("clip", **SMALL | {"epochs": 40, "learning_rate": 1e-2, "temperature": 1.0})
    terms = model._terms

    def watched(embedded: Any, codes: Any, heads: Any) -> Any:
        seen.append(heads["scale"].log_scale.item())
        return terms(embedded, codes, heads)

    model._terms = watched
    model.fit(views)
    assert seen[0] == 0
    assert seen[-1] > seen[0] + 0.5


def test_the_epoch_that_ranks_held_out_pairs_best_is_kept() -> None:
    views = pairs(80, seed=0)
    many = {"epochs": 60, "learning_rate": 1e-2, "validation": 0.25, "layers": {"other": [64, 16]}}
    model = fit(views, **many)
    scores = [terms["validation"] for terms in model.history_]
    best = int(np.argmin(scores))
    assert 0 < best < len(scores) - 1
    shorter = fit(views, **many | {"epochs": best + 1})
    for key, array in shorter.arrays_.items():
        np.testing.assert_array_equal(model.arrays_[key], array)
    with pytest.raises(ConfigError, match=r"models\.clip\.validation: 0\.01 of 80 training rows are 1"):
        fit(views, validation=0.01)
