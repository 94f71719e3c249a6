"""Reciprocal ranks of pairs and classes against all orders of tied items, and their chance against simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from unisono import metrics
from unisono.errors import DataError
from unisono.metrics.chance import first_reciprocal

#: Four directions, of which some have several items: ties.
GALLERY = np.array([[1.0, 0.0], [0.6, 0.8], [2.0, 0.0], [0.0, 1.0], [0.6, 0.8], [3.0, 4.0], [-1.0, 0.0]])
QUERIES = np.array([[1.0, 0.1], [1.0, 1.0], [1.0, 0.0], [-1.0, 0.2], [0.0, 1.0], [0.6, 0.8], [1.0, -1.0]])
LABELS = np.array(["dog", "cat", "bee", "cat", "dog", "cat", "bee"])


def orders(query: np.ndarray, gallery: np.ndarray) -> list[list[int]]:
    """All rankings of the gallery that put nearer items first, ties in every order."""
    scores = np.round(metrics.similarities(query[None], gallery)[0], 9)
    return [
        list(order)
        for order in itertools.permutations(range(len(gallery)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]


def test_reciprocal_ranks_are_the_mean_over_all_orders_of_ties() -> None:
    expected = [
        np.mean([1 / (order.index(row) + 1) for order in orders(query, GALLERY)]) for row, query in enumerate(QUERIES)
    ]
    np.testing.assert_allclose(metrics.mean_reciprocal_rank(QUERIES, GALLERY), np.mean(expected))
    np.testing.assert_allclose(metrics.reciprocal_ranks(QUERIES, GALLERY), expected)


def test_class_reciprocal_ranks_are_the_mean_over_all_orders_of_ties() -> None:
    expected = [
        np.mean([1 / (1 + [LABELS[item] for item in order].index(label)) for order in orders(query, GALLERY)])
        for query, label in zip(QUERIES, LABELS, strict=True)
    ]
    np.testing.assert_allclose(metrics.class_reciprocal_ranks(QUERIES, GALLERY, LABELS, LABELS), expected)
    assert metrics.class_reciprocal_rank(QUERIES, GALLERY, LABELS, LABELS) == pytest.approx(np.mean(expected))
    assert metrics.mean_reciprocal_rank(QUERIES, GALLERY, LABELS, LABELS) == pytest.approx(np.mean(expected))


def test_without_ties_they_are_one_over_the_rank() -> None:
    queries, gallery = np.random.default_rng(0).standard_normal((2, 60, 8))
    np.testing.assert_allclose(metrics.reciprocal_ranks(queries, gallery), 1 / metrics.ranks(queries, gallery))
    own = np.arange(60)
    np.testing.assert_allclose(
        metrics.class_reciprocal_ranks(queries, gallery, own, own), 1 / metrics.ranks(queries, gallery)
    )


def test_the_own_pair_counts_as_one_of_the_class() -> None:
    queries, gallery = np.random.default_rng(1).standard_normal((2, 50, 4))
    labels = np.arange(50) % 5
    by_class = metrics.class_reciprocal_ranks(queries, gallery, labels, labels)
    assert (by_class >= metrics.reciprocal_ranks(queries, gallery) - 1e-12).all()


def test_a_constant_embedding_scores_chance_whatever_the_order() -> None:
    constant, labels = np.ones((97, 3)), np.arange(97) % 4
    assert metrics.mean_reciprocal_rank(constant, constant) == pytest.approx(metrics.chance_reciprocal_rank(97))
    for order in (np.arange(97), np.random.default_rng(0).permutation(97)):
        found = metrics.class_reciprocal_rank(constant, constant[order], labels, labels[order])
        assert found == pytest.approx(metrics.chance_class_reciprocal_rank(labels, labels))


def test_chance_of_the_first_of_a_class_is_the_mean_over_all_orders() -> None:
    labels = np.array([0, 0, 1, 1, 1, 2])
    expected = np.mean(
        [
            [1 / (1 + [labels[item] for item in order].index(label)) for label in labels]
            for order in itertools.permutations(range(6))
        ]
    )
    assert metrics.chance_class_reciprocal_rank(labels, labels) == pytest.approx(expected)


def test_chance_is_the_sum_over_places() -> None:
    n, r = 37, 5
    expected = sum(math.comb(n - place, r - 1) / math.comb(n, r) / place for place in range(1, n - r + 2))
    assert first_reciprocal(0, n, r) == pytest.approx(expected, rel=1e-12)
    assert metrics.chance_reciprocal_rank(2000) == pytest.approx(sum(1 / place for place in range(1, 2001)) / 2000)


def test_chance_of_twenty_balanced_classes_in_two_thousand_items() -> None:
    labels = np.arange(2000) % 20
    assert round(metrics.chance_class_reciprocal_rank(labels, labels), 3) == 0.158


@pytest.mark.parametrize("relevant", [1, 2, 100, 5000, 9999, 10000])
def test_chance_stays_exact_in_ten_thousand_items(relevant: int) -> None:
    n = 10000
    # C(n-r, R-1) / C(n, R) by logarithms of factorials.
    places = np.arange(1, n - relevant + 2)
    lgamma = np.vectorize(math.lgamma)
    log = lgamma(n - places + 1) - lgamma(n - places - relevant + 2) - math.lgamma(relevant)
    log -= math.lgamma(n + 1) - math.lgamma(relevant + 1) - math.lgamma(n - relevant + 1)
    expected = float(np.sum(np.exp(log) / places))
    assert first_reciprocal(0, n, relevant) == pytest.approx(expected, rel=1e-8)


def test_random_embeddings_score_chance() -> None:
    generator = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], [40, 15, 5])
    draws = generator.standard_normal((200, 2, 60, 12))
    for measure, chance in (
        (lambda q, g: metrics.mean_reciprocal_rank(q, g), metrics.chance_reciprocal_rank(60)),
        (
            lambda q, g: metrics.class_reciprocal_rank(q, g, labels, labels),
            metrics.chance_class_reciprocal_rank(labels, labels),
        ),
    ):
        found = [measure(*pair) for pair in draws]
        assert abs(np.mean(found) - chance) < 4 * np.std(found, ddof=1) / np.sqrt(len(found))


def test_a_query_without_its_class_is_left_out() -> None:
    labels = np.array([*LABELS[:-1], "ant"])
    found = metrics.class_reciprocal_ranks(QUERIES, GALLERY, labels, LABELS)
    assert np.isnan(found).tolist() == [False] * 6 + [True]
    assert metrics.class_reciprocal_rank(QUERIES, GALLERY, labels, LABELS) == pytest.approx(found[:-1].mean())
    assert metrics.chance_class_reciprocal_rank(labels, LABELS) == pytest.approx(
        metrics.chance_class_reciprocal_rank(labels[:-1], LABELS)
    )
    with pytest.raises(DataError, match="no query has a relevant item"):
        metrics.chance_class_reciprocal_rank(["ant"], LABELS)


def test_labels_on_one_side_alone_raise() -> None:
    with pytest.raises(DataError, match="got one of them, expected both or none"):
        metrics.mean_reciprocal_rank(QUERIES, GALLERY, LABELS)
    with pytest.raises(DataError, match="6 queries and a gallery of 7 do not pair"):
        metrics.mean_reciprocal_rank(QUERIES[:6], GALLERY)
