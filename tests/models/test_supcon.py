"""SupCon: both losses against plain loops, their gradients, and what is learned of more than two views."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from unisono import metrics, models
from unisono.errors import ConfigError
from unisono.models import supcon


def batch(n: int = 7, n_views: int = 2, *, classes: int = 3) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Embeddings in float64 and their classes."""
    generator = torch.Generator().manual_seed(0)
    embedded = [torch.randn(n, 4, generator=generator, dtype=torch.float64) for _ in range(n_views)]
    return embedded, torch.randint(classes, (n,), generator=generator)


def unit(row: np.ndarray) -> np.ndarray:
    return row / np.linalg.norm(row)


@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_proxies_equal_a_loop(n_views: int, temperature: float) -> None:
    embedded, codes = batch(n_views=n_views)
    proxies = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    terms = []
    for view in embedded:
        for row, code in zip(view.numpy(), codes.tolist(), strict=True):
            logits = [unit(row) @ unit(proxy) / temperature for proxy in proxies.numpy()]
            terms.append(math.log(sum(math.exp(each) for each in logits)) - logits[code])
    found = supcon.proxy_loss(embedded, codes, proxies, temperature).item()
    assert found == pytest.approx(np.mean(terms), rel=1e-12)


@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_contrastive_loss_equals_a_loop(n_views: int, temperature: float) -> None:
    embedded, codes = batch(n_views=n_views)
    z = [unit(row) for view in embedded for row in view.numpy()]
    classes = codes.tolist() * n_views
    terms = []
    for i in range(len(z)):
        total = sum(math.exp(z[i] @ z[a] / temperature) for a in range(len(z)) if a != i)
        positives = [p for p in range(len(z)) if p != i and classes[p] == classes[i]]
        terms.append(-np.mean([math.log(math.exp(z[i] @ z[p] / temperature) / total) for p in positives]))
    found = supcon.contrastive_loss(embedded, codes, temperature).item()
    assert found == pytest.approx(np.mean(terms), rel=1e-12)


def test_known_values() -> None:
    """All embeddings in one place tell nothing: log of what there is to choose from."""
    same = [torch.ones(5, 3, dtype=torch.float64)] * 2
    codes = torch.tensor([0, 0, 1, 2, 3])
    assert supcon.proxy_loss(same, codes, torch.ones(4, 3, dtype=torch.float64), 0.2).item() == pytest.approx(
        math.log(4)
    )
    assert supcon.contrastive_loss(same, codes, 0.2).item() == pytest.approx(math.log(9))


def test_gradients_equal_differences() -> None:
    embedded, codes = batch(5)
    proxies = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    one, other = (each.requires_grad_() for each in embedded)
    torch.autograd.gradcheck(lambda u, w, p: supcon.proxy_loss([u, w], codes, p, 0.3), (one, other, proxies))
    torch.autograd.gradcheck(lambda u, w: supcon.contrastive_loss([u, w], codes, 0.3), (one, other))


def planted(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three views of five classes, in noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 5, n)
    views = {}
    for view, width in (("audio", 9), ("sheet", 7), ("lyrics", 12)):
        means = np.random.default_rng(width).standard_normal((5, width))
        views[view] = means[labels] + 0.7 * generator.standard_normal((n, width))
    return views, labels


@pytest.mark.parametrize("loss", ["proxies", "contrastive"])
@pytest.mark.parametrize("paired", [True, False])
def test_learns_classes_of_any_number_of_views_and_needs_no_pairs(loss: Any, paired: bool) -> None:
    views, labels = planted(200, seed=0)
    test, truth = planted(100, seed=1)
    if not paired:
        # Other items of the class stand in the item's place.
        generator = np.random.default_rng(2)
        order = np.lexsort((generator.random(len(labels)), labels))
        place = np.argsort(np.argsort(labels, kind="stable"))
        views["sheet"] = views["sheet"][order][place]
    model = models.create("supcon", loss=loss, layers={"other": [64, 8]}, dropout=0.3, epochs=120)
    model.progress = False
    found = model.fit(views, labels).transform(test)
    chance = metrics.chance_map(truth, truth)
    for query, target in itertools.permutations(found, 2):
        assert metrics.mean_average_precision(found[query], found[target], truth, truth) > chance + 0.4


def test_unknown_losses_raise() -> None:
    with pytest.raises(ConfigError, match=r"models\.supcon\.loss: .*'proxies' or 'contrastive'"):
        models.create("supcon", loss="arcface")
