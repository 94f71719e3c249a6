"""Pairs shuffled within their kind against all permutations and simulation, and the oracle of kinds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from unisono import metrics
from unisono.errors import DataError
from unisono.metrics import _similarity

KINDS = np.array(["a", "b", "a", "a", "b", "c"])


def embeddings(n: int, *, seed: int = 0, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Related queries and gallery; `tied` draws both from four directions."""
    generator = np.random.default_rng(seed)
    queries = generator.standard_normal((n, 5))
    if tied:
        directions = generator.standard_normal((4, 5))
        return directions[generator.integers(4, size=n)], directions[generator.integers(4, size=n)]
    return queries, queries + generator.standard_normal((n, 5))


def shuffles(kinds: np.ndarray) -> list[np.ndarray]:
    """All ways to give every query the pair of an item of its kind."""
    of_kind = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    found = []
    for orders in itertools.product(*(itertools.permutations(rows) for rows in of_kind)):
        order = np.empty(len(kinds), dtype=int)
        for rows, own in zip(of_kind, orders, strict=True):
            order[rows] = own
        found.append(order)
    return found


@pytest.mark.parametrize("tied", [False, True])
def test_shuffling_within_a_kind_is_the_mean_over_all_permutations(tied: bool) -> None:
    queries, gallery = embeddings(6, tied=tied)
    orders = shuffles(KINDS)
    assert len(orders) == 12
    found = metrics.within(queries, gallery, KINDS, ks=(1, 2, 5))
    reciprocal = np.mean([metrics.reciprocal_ranks(queries, gallery[order]) for order in orders], axis=0)
    ranks = np.array([metrics.ranks(queries, gallery[order]) for order in orders])
    np.testing.assert_allclose(found.reciprocal, reciprocal)
    np.testing.assert_allclose(found.ranks, ranks.mean(axis=0))
    assert found.median == np.median(ranks)
    for column, k in enumerate((1, 2, 5)):
        recall = np.mean([metrics.recall_at_k(queries, gallery[order], k) for order in orders])
        assert found.hits[:, column].mean() == pytest.approx(recall)


def test_kinds_of_one_item_leave_the_true_measures_and_one_kind_leaves_chance() -> None:
    queries, gallery = embeddings(40)
    alone = metrics.within(queries, gallery, np.arange(40), ks=(3,))
    np.testing.assert_allclose(alone.reciprocal, metrics.reciprocal_ranks(queries, gallery))
    np.testing.assert_array_equal(alone.ranks, metrics.ranks(queries, gallery))
    assert alone.median == metrics.median_rank(queries, gallery)
    together = metrics.within(queries, gallery, np.zeros(40, dtype=int), ks=(3,))
    np.testing.assert_allclose(together.reciprocal, metrics.chance_reciprocal_rank(40))
    np.testing.assert_allclose(together.hits, metrics.chance_recall(3, 40))
    np.testing.assert_allclose(together.ranks, metrics.chance_rank(40))
    assert together.median == metrics.chance_rank(40)


def test_simulated_shuffles_agree() -> None:
    queries, gallery = embeddings(90, seed=3)
    generator = np.random.default_rng(4)
    kinds = generator.integers(3, size=90)
    draws = []
    for _ in range(300):
        order = np.arange(90)
        for kind in range(3):
            rows = np.flatnonzero(kinds == kind)
            order[rows] = generator.permutation(rows)
        own = gallery[order]
        draws.append(
            [metrics.mean_reciprocal_rank(queries, own), metrics.recall_at_k(queries, own, 5),
             metrics.mean_rank(queries, own), metrics.median_rank(queries, own)]
        )  # fmt: skip
    found = metrics.within(queries, gallery, kinds, ks=(5,))
    expected = [found.reciprocal.mean(), found.hits.mean(), found.ranks.mean(), found.median]
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - expected)[:3] < 4 * error[:3]).all()
    # The median of a mixture is the mean of medians but for their number.
    assert abs(np.mean(draws, axis=0)[3] - found.median) < 1


def test_the_oracle_is_what_an_embedding_of_the_kinds_scores() -> None:
    kinds = np.array([0] * 11 + [1] * 4 + [2])
    oracle, embedding = metrics.kind_oracle(kinds, ks=(1, 5, 10)), np.eye(3)[kinds]
    np.testing.assert_allclose(oracle.reciprocal, metrics.reciprocal_ranks(embedding, embedding))
    np.testing.assert_allclose(oracle.ranks, metrics.ranks(embedding, embedding))
    for column, k in enumerate((1, 5, 10)):
        assert oracle.hits[:, column].mean() == pytest.approx(metrics.recall_at_k(embedding, embedding, k))
    assert oracle.hits[0, 2] == pytest.approx(10 / 11)
    assert oracle.reciprocal[11] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_the_median_of_the_oracle_is_that_of_ranks_in_random_order() -> None:
    kinds = np.repeat([0, 1, 2], [60, 30, 10])
    generator = np.random.default_rng(0)
    sizes = np.bincount(kinds)[kinds]
    medians = [np.median(generator.integers(1, sizes + 1)) for _ in range(2000)]
    assert metrics.kind_oracle(kinds).median == pytest.approx(np.mean(medians), abs=0.5)
    assert metrics.kind_oracle(np.zeros(8)).median == metrics.chance_rank(8)
    assert metrics.kind_oracle(np.zeros(9)).median == metrics.chance_rank(9)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = embeddings(57, tied=True)
    kinds = np.arange(57) % 4
    whole = metrics.within(queries, gallery, kinds)
    monkeypatch.setattr(_similarity, "BLOCK_BYTES", 57 * 8 * 10)
    for one, other in zip(metrics.within(queries, gallery, kinds), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bad_input_raises() -> None:
    queries, gallery = embeddings(6)
    with pytest.raises(DataError, match="k: got 0, expected at least 1"):
        metrics.within(queries, gallery, KINDS, ks=(0,))
    with pytest.raises(DataError, match="5 queries and a gallery of 6 do not pair"):
        metrics.within(queries[:5], gallery, KINDS)
    with pytest.raises(DataError, match=r"query_labels: got shape \(5,\), expected \(6,\)"):
        metrics.within(queries, gallery, KINDS[:5])
    with pytest.raises(DataError, match="row 1: None, expected a class"):
        metrics.kind_oracle(np.array(["a", None], dtype=object))
