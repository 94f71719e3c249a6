"""DSCMR: each loss against a plain loop, gradients, the shared layer, weights of the terms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.small import two_views
from unisono import models
from unisono.errors import ConfigError
from unisono.models import dscmr

SMALL: dict[str, Any] = {"layers": {"audio": [12, 4], "other": [12, 4]}, "epochs": 3, "min_steps": 0, "batch_size": 20}


def batch(n: int = 7) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """Embeddings and predictions in float64, and classes."""
    generator = torch.Generator().manual_seed(0)
    embedded, predicted = (
        [torch.randn(n, width, generator=generator, dtype=torch.float64) for _ in range(2)] for width in (4, 3)
    )
    return embedded, predicted, torch.randint(3, (n,), generator=generator)


def test_classification_equals_a_loop() -> None:
    _, predicted, codes = batch()
    total = 0.0
    for values in predicted:
        squares = [
            (value - (c == code)) ** 2
            for row, code in zip(values.tolist(), codes.tolist(), strict=True)
            for c, value in enumerate(row)
        ]
        total += math.sqrt(sum(squares)) / len(codes)
    assert dscmr.classification_loss(predicted, codes).item() == pytest.approx(total, rel=1e-12)


def test_discrimination_equals_a_loop() -> None:
    embedded, _, codes = batch()
    u, v = (each.numpy() for each in embedded)
    n, total = len(codes), 0.0
    for one, other in ((u, v), (u, u), (v, v)):
        for i in range(n):
            for j in range(n):
                half = one[i] @ other[j] / np.linalg.norm(one[i]) / np.linalg.norm(other[j]) / 2
                total += math.log(1 + math.exp(half)) - (codes[i] == codes[j]).item() * half
    assert dscmr.discrimination_loss(embedded, codes).item() == pytest.approx(total / n**2, rel=1e-12)


def test_invariance_equals_a_loop_and_known_values() -> None:
    embedded, _, codes = batch()
    u, v = (each.numpy() for each in embedded)
    found = dscmr.invariance_loss(embedded).item()
    assert found == pytest.approx(math.sqrt(((u - v) ** 2).sum()) / len(u), rel=1e-12)
    assert dscmr.invariance_loss([embedded[0], embedded[0]]).item() == 0
    truth = torch.nn.functional.one_hot(codes, 3).double()
    assert dscmr.classification_loss([truth, truth], codes).item() == 0
    # Orthogonal classes: cosines of 1 within, of 0 between.
    placed = torch.eye(3, dtype=torch.float64)[codes]
    share = (codes[:, None] == codes).double().mean().item()
    expected = 3 * (share * (math.log(1 + math.exp(0.5)) - 0.5) + (1 - share) * math.log(2))
    assert dscmr.discrimination_loss([placed, placed], codes).item() == pytest.approx(expected, rel=1e-12)


def test_gradients_equal_differences_and_are_zero_where_a_norm_is() -> None:
    embedded, predicted, codes = batch(5)
    u, v, p, q = (each.requires_grad_() for each in (*embedded, *predicted))
    torch.autograd.gradcheck(lambda a, b: dscmr.classification_loss([a, b], codes), (p, q))
    torch.autograd.gradcheck(lambda a, b: dscmr.discrimination_loss([a, b], codes), (u, v))
    torch.autograd.gradcheck(lambda a, b: dscmr.invariance_loss([a, b]), (u, v))
    equal = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    dscmr.invariance_loss([equal, equal.detach()]).backward()
    assert torch.equal(equal.grad, torch.zeros(3, 2, dtype=torch.float64))


def test_the_last_layer_is_one_for_both_views() -> None:
    views, labels = two_views(noise=0.6)
    arrays = models.create("dscmr", **SMALL).fit(views, labels).arrays_
    last = [sorted(key for key in arrays if key.startswith(f"networks.{place}"))[-2:] for place in (0, 1)]
    for one, other in zip(*last, strict=True):
        np.testing.assert_array_equal(arrays[one], arrays[other])
    first = [sorted(key for key in arrays if key.startswith(f"networks.{place}"))[:2] for place in (0, 1)]
    assert arrays[first[0][1]].shape != arrays[first[1][1]].shape


def test_layers_before_it_are_equally_wide() -> None:
    views, labels = two_views(noise=0.6)
    for layers, given in (
        ({"audio": [12, 4], "other": [16, 4]}, r"\(audio 12, visual 16\)"),
        ({"other": [4]}, r"\(audio 6, visual 8\)"),
    ):
        with pytest.raises(ConfigError, match=rf"models\.dscmr\.layers: the last layer, .* two widths {given}; give"):
            models.create("dscmr", **SMALL | {"layers": layers}).fit(views, labels)


def test_history_has_every_term_and_they_add_up() -> None:
    views, labels = two_views(noise=0.6)
    weights = {"classification": 2.0, "discrimination": 0.5, "invariance": 3.0}
    for terms in models.create("dscmr", **SMALL, **weights).fit(views, labels).history_:
        assert set(terms) == {"loss", *weights}
        assert terms["loss"] == pytest.approx(sum(weight * terms[key] for key, weight in weights.items()), rel=1e-5)


def test_every_term_is_learned_from() -> None:
    views, labels = two_views(noise=0.6)
    nothing = {"classification": 0.0, "discrimination": 0.0, "invariance": 0.0, "weight_decay": 0.0, "dropout": 0.0}
    for term in ("classification", "discrimination", "invariance"):
        model = models.create("dscmr", **SMALL | nothing | {term: 1.0, "epochs": 40, "learning_rate": 0.01})
        history = model.fit(views, labels).history_
        assert history[-1][term] < 0.9 * history[0][term]
