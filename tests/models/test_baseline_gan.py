"""Baseline-GAN of chapter 6: the baseline whose other pairs a generator proposes."""

from __future__ import annotations

import numpy as np

from tests.models.test_darlearning import make, three_views
from unisono import metrics


def test_learns_pairs_against_a_generator() -> None:
    model = make("baseline_gan", epochs=10, learning_rate=0.003).fit(three_views(300))
    assert set(model.history_[0]) == {"generator", "discriminator"}
    found = model.transform(three_views(100, seed=1))
    assert metrics.recall_at_k(found["audio"], found["sheet"], 1) > 0.2


def test_generator_makes_another_discriminator_than_chance_does() -> None:
    views = three_views()
    with_generator, without = (make(name).fit(views).transform(views) for name in ("baseline_gan", "baseline"))
    assert not np.allclose(with_generator["audio"], without["audio"], atol=1e-3)
