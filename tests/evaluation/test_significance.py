"""Intervals around mean scores, and how often a difference is marked that is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unisono import metrics
from unisono.evaluation import significance
from unisono.evaluation.comparison import chance_scores

N_DRAWS = 1000


def test_influences_are_those_of_leaving_each_item_out() -> None:
    generator = np.random.default_rng(7)
    queries, gallery = generator.standard_normal((6, 3)), generator.standard_normal((9, 3))
    gallery[4] = gallery[2]
    labels, classes = np.array([0, 1, 2, 0, 1, 3]), np.array([0, 0, 1, 1, 1, 2, 0, 2, 1])
    found = list(significance.gallery_influences(queries, gallery, labels, classes))
    assert len(found) == 6
    assert np.isnan(found[5][0])
    for (precision, influence), query, label in zip(found[:5], queries, labels, strict=False):

        def score(kept: np.ndarray, query: np.ndarray = query, label: int = label) -> float:
            return metrics.mean_average_precision(query[None], gallery[kept], np.array([label]), classes[kept])

        everything = np.ones(9, dtype=bool)
        assert precision == pytest.approx(score(everything))
        lost = np.array([precision - score(np.arange(9) != item) for item in range(9)])
        expected = np.empty(9)
        for part in (classes == label, classes != label):
            m = part.sum()
            expected[part] = (lost[part] - lost[part].mean()) * (m - 1) / m
        np.testing.assert_allclose(influence, expected, atol=1e-12)


def test_items_in_groups_give_the_sums_of_items_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    queries, gallery = generator.standard_normal((2, 24, 4))
    labels, folds = np.arange(24) % 3, np.repeat([4, 9], 12)
    alone = significance.score(queries, gallery, labels, significance.groups(folds))
    monkeypatch.setattr(significance, "N_GROUPS", 5)
    of = significance.groups(folds)
    together = significance.score(queries, gallery, labels, of)
    np.testing.assert_array_equal(together.values, alone.values)
    for fold in (0, 1):
        group = np.arange(12) % 5
        expected = [[alone.influences[fold][group == g][:, group == h].sum() for h in range(5)] for g in range(5)]
        np.testing.assert_allclose(together.influences[fold], expected, atol=1e-12)


def test_the_variance_is_the_sum_over_pairs_that_share_an_item() -> None:
    generator = np.random.default_rng(1)
    n = 8
    values, influences = generator.random(n), generator.standard_normal((1, n, n))
    of = significance.groups(np.zeros(n, dtype=np.int64))
    u = (influences[0] + (values - values.mean())[:, None] / n) / n
    pairs = {frozenset((i, j)): u[i, j] + u[j, i] if i != j else u[i, i] for i in range(n) for j in range(i, n)}
    variance = sum(a * b for p, a in pairs.items() for q, b in pairs.items() if p & q)
    mean, low, high = significance.interval(values, influences, of)
    assert mean == pytest.approx(values.mean())
    # Student's quantile of 2 degrees of freedom.
    assert (high - low) / 2 == pytest.approx(4.3026527 * np.sqrt(variance * n / (n - 1)))


@pytest.mark.slow
def test_the_variance_is_never_less_than_a_share_of_that_over_queries() -> None:
    values = np.array([0.1, 0.4, 0.7, 0.8, 0.2, 0.5])
    of = significance.groups(np.array([0, 0, 0, 1, 1, 1]))
    apart = np.zeros(of.sizes.shape)
    np.add.at(apart, (of.fold, of.group), values - values.mean())
    shares = of.sizes / of.sizes.sum(axis=1, keepdims=True)
    # Influences that cancel what the queries have of their own.
    mean, low, high = significance.interval(values, -apart[:, :, None] * shares[:, None, :], of)
    over_queries = np.square(values - mean).sum() / len(values) ** 2
    n_groups = np.count_nonzero(of.sizes)
    half = stats.t.ppf(0.975, n_groups / 4) * np.sqrt(significance.LEAST * over_queries * n_groups / (n_groups - 1))
    assert (low, high) == pytest.approx((mean - half, mean + half))


def test_random_embeddings_are_marked_at_the_nominal_level_and_two_standard_errors_often() -> None:
    generator = np.random.default_rng(0)
    n, labels, folds = 100, np.arange(100) % 5, np.repeat([0, 1], 50)
    of, chance = significance.groups(folds), chance_scores(labels, folds)

    def drawn() -> significance.Scores:
        one, other = generator.standard_normal((2, n, 16))
        both = [significance.score(*pair, labels, of) for pair in ((one, other), (other, one))]
        return significance.Scores(
            np.mean([each.values for each in both], axis=0), np.mean([each.influences for each in both], axis=0)
        )

    above, apart = [], []
    for _ in range(N_DRAWS):
        first, second = drawn(), drawn()
        above.append(significance.interval(first.values - chance, first.influences, of))
        apart.append(significance.interval(first.values - second.values, first.influences - second.influences, of))
    for found in (np.array(above), np.array(apart)):
        mean, low, high = found.T
        assert np.mean((low > 0) | (high < 0)) <= 0.065
        planted = 2 * mean.std()
        assert np.mean((low + planted > 0) | (high + planted < 0)) >= 0.4
