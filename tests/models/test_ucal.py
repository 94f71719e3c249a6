"""UCAL's own terms, and that it does not collapse; test_acmr.py tests what it shares with ACMR."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.models.small import two_views
from tests.models.test_acmr import SMALL, make_batch
from unisono import metrics, models
from unisono.models import ucal
from unisono.models.parts import modality


def test_pair_term_equals_a_loop() -> None:
    batch = make_batch()
    one, other = (embedded.numpy() for embedded in batch.embedded)
    total = 0.0
    for u, w in zip(one, other, strict=True):
        for a, b in zip(u, w, strict=True):
            total += (a - b) ** 2 / one.size
    assert ucal.pair_loss(batch).item() == pytest.approx(total, rel=1e-12)


def test_moment_term_equals_a_loop() -> None:
    batch = make_batch()
    total = 0.0
    for embedded in batch.embedded:
        rows = embedded.numpy()
        n, k = rows.shape
        mean = [sum(rows[:, a]) / n for a in range(k)]
        total += sum(value**2 for value in mean) / k
        for a in range(k):
            for b in range(k):
                covariance = sum((row[a] - mean[a]) * (row[b] - mean[b]) for row in rows) / (n - 1)
                total += (covariance - (a == b)) ** 2 / k
    assert ucal.moment_loss(batch).item() == pytest.approx(total, rel=1e-12)


def test_moment_term_is_zero_for_white_embeddings() -> None:
    white = np.linalg.qr(np.column_stack([np.ones(12), np.random.default_rng(0).standard_normal((12, 3))]))[0][:, 1:]
    embedded = torch.as_tensor(white * np.sqrt(11))
    batch = modality.Batch((embedded, embedded), (embedded, embedded), torch.zeros(12, dtype=torch.int64))
    assert ucal.moment_loss(batch).item() == pytest.approx(0, abs=1e-20)
    assert ucal.pair_loss(batch).item() == 0


def test_labels_have_no_part() -> None:
    views, labels = two_views()
    one = models.create("ucal", **SMALL).fit(views, labels)
    two = models.create("ucal", **SMALL).fit(views)
    assert one.history_ == two.history_
    for key, array in one.arrays_.items():
        np.testing.assert_array_equal(two.arrays_[key], array)


def test_finds_the_pairs_of_unseen_items() -> None:
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((700, 4))
    views = {
        view: latent @ generator.standard_normal((4, width)) + 0.1 * generator.standard_normal((700, width))
        for view, width in (("audio", 8), ("visual", 10))
    }
    train, test = ({view: array[part] for view, array in views.items()} for part in (slice(600), slice(600, None)))
    found = models.create("ucal", **SMALL | {"min_steps": 500, "learning_rate": 0.01}).fit(train).transform(test)
    assert metrics.recall_at_k(found["audio"], found["visual"], 5) > 10 * metrics.chance_recall(5, 100)


def spread(found: dict[str, np.ndarray]) -> float:
    """Least standard deviation of an embedding along any direction."""
    return min(float(np.sqrt(np.linalg.eigvalsh(np.cov(array.T))[0])) for array in found.values())


def test_only_the_moments_keep_the_embeddings_from_collapsing(recwarn: pytest.WarningsRecorder) -> None:
    views, _ = two_views()
    params = SMALL | {"min_steps": 300, "learning_rate": 0.01, "weight_decay": 0.0, "dropout": 0.0}
    guarded = models.create("ucal", **params).fit(views).transform(views)
    assert not recwarn.list
    without = models.create("ucal", **params, moments=0.0).fit(views).transform(views)
    assert "collapsed in 4 of 4 directions; lower models.ucal.weight_decay" in str(recwarn[0].message)
    assert spread(without) < 0.05
    assert spread(guarded) > 0.5
    for array in guarded.values():
        np.testing.assert_allclose(array.mean(axis=0), 0, atol=0.3)


def test_strong_weight_decay_warns_of_the_collapse() -> None:
    views, _ = two_views()
    with pytest.warns(
        UserWarning, match=r"ucal: the embeddings of view '(audio|visual)' have collapsed in \d of 4 directions"
    ):
        models.create("ucal", **SMALL | {"min_steps": 200, "learning_rate": 0.01}, weight_decay=1.0).fit(views)
