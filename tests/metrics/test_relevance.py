"""Measures of scores against any relevance: all orders of ties, simulation, scikit-learn, and those by class."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import average_precision_score

from unisono import metrics
from unisono.errors import DataError
from unisono.metrics import relevance

#: Scores of six items for four queries, most of them tied, one constant.
SCORES = np.array([[3.0, 1, 1, 1, 0, 0], [2, 2, 2, 2, 1, 0], [5, 5, 5, 5, 5, 5], [0, 1, 2, 3, 4, 5]])
RELEVANT = np.array([[0, 1, 0, 1, 1, 0], [1, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]], dtype=bool)


def drawn(n: int = 40, m: int = 30, *, tied: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = generator.integers(4, size=(n, m)).astype(float) if tied else generator.standard_normal((n, m))
    relevant = generator.random((n, m)) < generator.random((n, 1)) / 4
    relevant[:3] = False
    return scores, relevant


def first_places(scores: np.ndarray, relevant: np.ndarray) -> list[int]:
    """Place of the first relevant item in every order of the ranking's ties."""
    return [
        1 + next(place for place, item in enumerate(order) if relevant[item])
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]


def test_ranks_are_expectations_over_all_orders_of_ties() -> None:
    found = relevance.measure(SCORES, RELEVANT, ks=[1, 2, 3, 6, 9])
    orders = [first_places(row, its) for row, its in zip(SCORES, RELEVANT, strict=True)]
    np.testing.assert_allclose(found.ranks, [np.mean(places) for places in orders])
    np.testing.assert_allclose(found.reciprocal_ranks, [np.mean(1 / np.array(places)) for places in orders])
    for column, k in enumerate([1, 2, 3, 6, 9]):
        expected = [np.mean(np.array(places) <= k) for places in orders]
        np.testing.assert_allclose(found.hits[:, column], expected, atol=1e-15)
        assert found.recalls[column] == pytest.approx(np.mean(expected))
    # Every query has the same weight, every order of its ties the same part of it.
    long = int(np.lcm.reduce([len(places) for places in orders]))
    every = np.concatenate([np.repeat(places, long // len(places)) for places in orders])
    assert found.median == np.median(every)
    np.testing.assert_allclose(found.recall, [np.mean(every <= k) for k in range(1, 7)])
    assert found.mean_rank == found.ranks.mean()
    assert found.mean_reciprocal_rank == found.reciprocal_ranks.mean()


@pytest.mark.parametrize("tied", [False, True])
def test_average_precision_equals_scikit_learns(tied: bool) -> None:
    scores, relevant = drawn(tied=tied)
    some = relevant.any(axis=1)
    expected = [average_precision_score(its, row) for row, its in zip(scores[some], relevant[some], strict=True)]
    found = relevance.measure(scores, relevant)
    np.testing.assert_allclose(found.average_precisions[some], expected, atol=1e-12)
    assert found.mean_average_precision == pytest.approx(np.mean(expected))
    for values in found[:4]:
        np.testing.assert_array_equal(np.isnan(values).reshape(len(some), -1).all(axis=1), ~some)


def test_without_ties_ranks_are_those_of_plain_sorting() -> None:
    scores, relevant = drawn(tied=False, seed=1)
    some = np.flatnonzero(relevant.any(axis=1))
    plain = np.array([1 + np.argmax(relevant[q][np.argsort(-scores[q])]) for q in some])
    found = relevance.measure(scores, relevant, ks=[5])
    np.testing.assert_array_equal(found.ranks[some], plain)
    np.testing.assert_array_equal(found.hits[some, 0], plain <= 5)
    assert found.median == np.median(plain)


@pytest.mark.parametrize("tied", [False, True])
def test_relevance_by_class_is_that_of_the_measures_by_class(tied: bool) -> None:
    generator = np.random.default_rng(3)
    directions = generator.standard_normal((7, 5)) if tied else generator.standard_normal((70, 5))
    queries, gallery = (directions[generator.integers(len(directions), size=30)] for _ in range(2))
    labels, others = generator.integers(6, size=30), generator.integers(1, 7, size=30)
    scores, relevant = metrics.similarities(queries, gallery), labels[:, None] == others
    found = relevance.measure(scores, relevant)
    given = queries, gallery, labels, others
    np.testing.assert_array_equal(found.average_precisions, metrics.average_precisions(*given))
    np.testing.assert_array_equal(found.reciprocal_ranks, metrics.class_reciprocal_ranks(*given))
    found = relevance.chance(relevant)
    assert np.nanmean(found.average_precisions) == pytest.approx(metrics.chance_map(labels, others))
    expected = metrics.chance_class_reciprocal_rank(labels, others)
    assert np.nanmean(found.reciprocal_ranks) == pytest.approx(expected)


def test_one_relevant_item_each_is_that_of_the_measures_by_pair() -> None:
    queries, gallery = np.random.default_rng(4).standard_normal((2, 25, 3))
    scores, own = metrics.similarities(queries, gallery), np.eye(25, dtype=bool)
    found = relevance.measure(scores, own)
    assert found.median == metrics.median_rank(queries, gallery)
    assert found.mean_rank == metrics.mean_rank(queries, gallery)
    np.testing.assert_allclose(found.recall, metrics.recall_curve(queries, gallery))
    found = relevance.chance(own, ks=[10])
    assert np.mean(found.ranks) == found.median == metrics.chance_rank(25)
    assert np.mean(found.hits) == pytest.approx(metrics.chance_recall(10, 25))


def test_chance_is_the_mean_of_many_random_orders_and_what_constant_scores_have() -> None:
    generator = np.random.default_rng(5)
    sizes = np.array([0, 1, 1, 2, 5, 12, 20])
    relevant = np.arange(20) < sizes[:, None]
    found = relevance.chance(relevant, ks=[1, 5, 10])
    some = sizes > 0
    np.testing.assert_allclose(found.ranks[some], 21 / (sizes[some] + 1))
    times = 4000
    every = relevance.measure(generator.random((7 * times, 20)), np.tile(relevant, (times, 1)), ks=[1, 5, 10])
    for name in ("average_precisions", "ranks", "reciprocal_ranks", "hits"):
        values = np.asarray(getattr(every, name)).reshape(times, 7, -1)[:, some]
        error = 5 * values.std(axis=0) / np.sqrt(times)
        expected = np.asarray(getattr(found, name)).reshape(7, -1)[some]
        assert (np.abs(values.mean(axis=0) - expected) <= error + 1e-12).all(), name
    assert abs(every.median - found.median) <= 1
    np.testing.assert_allclose(every.recall, found.recall, atol=0.01)
    constant = relevance.measure(np.zeros((7, 20)), relevant, ks=[1, 5, 10])
    for name in ("ranks", "reciprocal_ranks", "hits", "places"):
        np.testing.assert_allclose(getattr(constant, name), getattr(found, name), rtol=1e-12)
    assert constant.median == found.median
    # The hypergeometric distribution: none of the first k is one of R.
    assert found.hits[4, 1] == pytest.approx(1 - (15 * 14 * 13 * 12 * 11) / (20 * 19 * 18 * 17 * 16))


def test_large_numbers_neither_overflow_nor_leave_the_range() -> None:
    relevant = sparse.csr_array(np.arange(40_000) < np.array([[1], [900], [39_999]]))
    found = relevance.chance(relevant, ks=[1, 10, 50_000])
    np.testing.assert_allclose(found.hits[1], [900 / 40_000, 1 - (1 - 900 / 40_000) ** 10, 1], rtol=1e-3)
    assert (found.hits <= 1).all()
    assert found.recall[-1] == 1
    np.testing.assert_allclose(found.ranks, 40_001 / np.array([2, 901, 40_000]))


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.coo_matrix, sparse.csc_array, np.ndarray.tolist])
def test_relevance_may_be_any_matrix_and_the_order_of_the_gallery_does_not_count(kind: Any) -> None:
    scores, relevant = drawn(tied=True)
    plain, found = relevance.measure(scores, relevant), relevance.measure(scores, kind(relevant))
    order = np.random.default_rng(0).permutation(30)
    moved = relevance.measure(scores[:, order], relevant[:, order])
    for one, other, another in zip(plain, found, moved, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, another)


def test_scores_are_left_as_they_are_and_little_memory_is_used() -> None:
    generator = np.random.default_rng(6)
    scores = generator.random((2000, 1500), dtype=np.float32)
    relevant = sparse.csr_array(generator.random((2000, 1500)) < 0.02)
    before = scores.copy()
    tracemalloc.start()
    relevance.measure(scores, relevant)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(scores, before)
    assert peak < 3e6


@pytest.mark.parametrize(
    ("scores", "relevant", "words"),
    [
        (SCORES, RELEVANT.T, r"scores have shape \(4, 6\), relevance \(6, 4\); both are queries by items"),
        (SCORES, np.zeros((4, 6)), "no query has a relevant item: no pair is marked"),
        (np.where(SCORES == 3, np.nan, SCORES), RELEVANT, "scores, row 0: NaN or infinite value"),
        (SCORES.astype(str), RELEVANT, "scores: expected numbers"),
        (SCORES[0], RELEVANT, r"scores: expected numbers of shape \(n, m\), got float64 of shape \(6,\)"),
        (SCORES, RELEVANT[0], r"relevance: expected booleans of shape \(n, m\), got bool of shape \(6,\)"),
        (SCORES, np.where(RELEVANT, np.nan, 0), "relevance: NaN"),
        (SCORES, RELEVANT.astype(str), "relevance: expected booleans"),
    ],
)
def test_bad_input_is_an_error_of_one_line(scores: Any, relevant: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        relevance.measure(scores, relevant)
    with pytest.raises(DataError, match="k: got 0, expected at least 1"):
        relevance.measure(SCORES, RELEVANT, ks=[0])
