"""Measures against scikit-learn, ir_measures and plain loops; ties, bad input, chance."""

from __future__ import annotations

import itertools

import ir_measures
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from unisono import metrics
from unisono.errors import DataError
from unisono.metrics import _similarity

LABELS = np.array(["dog", "cat", "bee", "cat", "dog", "bee", "bee"])


def cosines(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Cosine similarities the plain way."""
    q = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    g = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    return q @ g.T


def embeddings(n: int, *, seed: int = 0, tied: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Related queries and gallery with five classes; `tied` draws both from eight directions."""
    generator = np.random.default_rng(seed)
    queries = generator.standard_normal((n, 6))
    gallery = queries + generator.standard_normal((n, 6))
    if tied:
        directions = generator.standard_normal((8, 6))
        queries, gallery = (directions[generator.integers(8, size=n)] for _ in range(2))
    return queries, gallery, generator.integers(5, size=n)


def plain_places(queries: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number better than, and tied with, each query's own pair, by a plain loop."""
    better, tied = [], []
    for i, row in enumerate(np.round(cosines(queries, gallery), 9)):
        better.append(sum(score > row[i] for score in row))
        tied.append(sum(score == row[i] for score in row))
    return np.array(better), np.array(tied)


@pytest.mark.parametrize("tied", [False, True])
def test_map_equals_scikit_learn(tied: bool) -> None:
    queries, gallery, labels = embeddings(60, tied=tied)
    scores = np.round(cosines(queries, gallery), 9)
    expected = [average_precision_score(labels == label, row) for label, row in zip(labels, scores, strict=True)]
    found = metrics.mean_average_precision(queries, gallery, labels, labels)
    assert found == pytest.approx(np.mean(expected), abs=1e-12)


def test_map_recall_and_precision_equal_ir_measures_without_ties() -> None:
    queries, gallery, labels = embeddings(50, seed=3)
    scores = cosines(queries, gallery)
    run = [ir_measures.ScoredDoc(f"q{q}", f"d{d}", scores[q, d]) for q in range(50) for d in range(50)]
    by_class = [ir_measures.Qrel(f"q{q}", f"d{d}", int(labels[q] == labels[d])) for q in range(50) for d in range(50)]
    by_pair = [ir_measures.Qrel(f"q{q}", f"d{q}", 1) for q in range(50)]
    P, R, AP = ir_measures.P, ir_measures.R, ir_measures.AP
    expected = ir_measures.calc_aggregate([AP, P @ 7, R @ 7], by_class, run)
    precision, recall = metrics.precision_recall_curve(queries, gallery, labels, labels)
    assert metrics.mean_average_precision(queries, gallery, labels, labels) == pytest.approx(expected[AP])
    assert precision[6] == pytest.approx(expected[P @ 7])
    assert recall[6] == pytest.approx(expected[R @ 7])
    expected = ir_measures.calc_aggregate([R @ 1, R @ 10], by_pair, run)
    assert metrics.recall_at_k(queries, gallery, 1) == pytest.approx(expected[R @ 1])
    assert metrics.recall_at_k(queries, gallery, 10) == pytest.approx(expected[R @ 10])


@pytest.mark.parametrize("tied", [False, True])
def test_rank_measures_equal_plain_loops(tied: bool) -> None:
    queries, gallery, _ = embeddings(40, seed=1, tied=tied)
    better, ties = plain_places(queries, gallery)
    assert (ties > 1).any() == tied
    ranks = 1 + better + (ties - 1) / 2
    np.testing.assert_array_equal(metrics.ranks(queries, gallery), ranks)
    assert metrics.median_rank(queries, gallery) == np.median(ranks)
    assert metrics.mean_rank(queries, gallery) == pytest.approx(np.mean(ranks))
    curve = metrics.recall_curve(queries, gallery)
    for k in (1, 3, 10, 40):
        # The part of the tied places better+1 ... better+ties that lies within the first k.
        expected = np.mean(
            [sum(p <= k for p in range(b + 1, b + t + 1)) / t for b, t in zip(better, ties, strict=True)]
        )
        assert metrics.recall_at_k(queries, gallery, k) == pytest.approx(expected)
        assert curve[k - 1] == pytest.approx(expected)


def test_precision_recall_curve_averages_the_orders_of_tied_items() -> None:
    # Two items tie at the top, one of them relevant; the third is relevant.
    gallery = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    precision, recall = metrics.precision_recall_curve(np.array([[1.0, 0.2]]), gallery, [1], [1, 0, 1])
    np.testing.assert_allclose(precision, [0.5, 0.5, 2 / 3])
    np.testing.assert_allclose(recall, [0.25, 0.5, 1.0])


@pytest.mark.parametrize("vector", [[0.1, 0.2, 0.3], [-1.0, 1e-3, 7.0], [0.0, 0.0, 0.0]])
def test_constant_embedding_scores_chance_whatever_the_order(vector: list[float]) -> None:
    n = 701  # more than one tile of any matrix product
    constant = np.tile(vector, (n, 1))
    labels = np.arange(n) % 7
    generator = np.random.default_rng(0)
    for order in (np.arange(n), generator.permutation(n)):
        found = metrics.mean_average_precision(constant, constant[order], labels, labels[order])
        assert found == pytest.approx(np.mean([np.mean(labels == label) for label in labels]))
    assert metrics.median_rank(constant, constant) == metrics.mean_rank(constant, constant) == (n + 1) / 2
    for k in (1, 10, 400):
        assert metrics.recall_at_k(constant, constant, k) == pytest.approx(metrics.chance_recall(k, n))
    precision, _ = metrics.precision_recall_curve(constant, constant, labels, labels)
    np.testing.assert_allclose(precision, precision[-1])


def test_identical_rows_tie_exactly_whatever_the_order_the_size_and_the_length() -> None:
    generator = np.random.default_rng(5)
    base = generator.standard_normal((90, 33))
    gallery = np.concatenate([base, base * 3.7, base * 1e-20])
    queries = generator.standard_normal((270, 33))
    own = metrics.ranks(queries, gallery)
    order = generator.permutation(270)
    np.testing.assert_array_equal(metrics.ranks(queries[order], gallery[order]), own[order])
    # Each of the three copies of an item has the rank of the group's middle.
    np.testing.assert_array_equal(own % 1, 0)
    scores = [block.copy() for _, block in _similarity.score_blocks(*_similarity.check_pair(queries, gallery))]
    rows = np.concatenate(scores)
    np.testing.assert_array_equal(rows[:, :90], rows[:, 90:180])
    np.testing.assert_array_equal(rows[:, :90], rows[:, 180:])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery, labels = embeddings(57, tied=True)
    whole = (
        metrics.mean_average_precision(queries, gallery, labels, labels),
        metrics.ranks(queries, gallery).tolist(),
    )
    monkeypatch.setattr(_similarity, "BLOCK_BYTES", 57 * 8 * 10)
    assert metrics.mean_average_precision(queries, gallery, labels, labels) == whole[0]
    assert metrics.ranks(queries, gallery).tolist() == whole[1]


def test_negative_scores_of_a_perfect_ranking_are_perfect() -> None:
    # The own pair is nearest although every cosine is negative.
    queries = np.array([[1.0, 0.1], [1.0, -0.1]])
    gallery = np.array([[-1.0, 0.1], [-1.0, -0.1]])
    assert metrics.recall_at_k(queries, gallery, 1) == 1
    assert metrics.mean_average_precision(queries, gallery, [0, 1], [0, 1]) == 1


def test_query_without_a_relevant_item_is_left_out() -> None:
    queries, gallery, labels = embeddings(30)
    more = np.concatenate([queries, queries[:5]])
    found = metrics.mean_average_precision(more, gallery, np.concatenate([labels, [9] * 5]), labels)
    assert found == metrics.mean_average_precision(queries, gallery, labels, labels)
    precisions = metrics.average_precisions(more, gallery, np.concatenate([labels, [9] * 5]), labels)
    assert np.isnan(precisions).tolist() == [False] * len(queries) + [True] * 5
    one_by_one = [
        metrics.mean_average_precision(queries[row : row + 1], gallery, labels[row : row + 1], labels)
        for row in range(len(queries))
    ]
    np.testing.assert_array_equal(precisions[: len(queries)], one_by_one)


def test_average_precisions_of_items_that_are_their_own_class_are_reciprocal_ranks() -> None:
    queries, gallery, _ = embeddings(40)
    own = np.arange(40)
    np.testing.assert_allclose(
        metrics.average_precisions(queries, gallery, own, own), 1 / metrics.ranks(queries, gallery)
    )


def test_k_beyond_the_gallery_is_one() -> None:
    queries, gallery, _ = embeddings(9)
    assert metrics.recall_at_k(queries, gallery, 100) == 1
    with pytest.raises(DataError, match="k: got 0, expected at least 1"):
        metrics.recall_at_k(queries, gallery, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_raise_with_their_row(bad: float) -> None:
    queries, gallery, labels = embeddings(9)
    gallery[4, 2] = bad
    with pytest.raises(DataError, match="gallery, row 4: NaN or infinite"):
        metrics.mean_average_precision(queries, gallery, labels, labels)
    with pytest.raises(DataError, match="queries, row 4: NaN or infinite"):
        metrics.median_rank(gallery, queries)


def test_shapes_that_do_not_fit_raise() -> None:
    queries, gallery, labels = embeddings(9)
    with pytest.raises(DataError, match="queries are 5 wide, the gallery 6"):
        metrics.ranks(queries[:, :5], gallery)
    with pytest.raises(DataError, match="8 queries and a gallery of 9 do not pair"):
        metrics.mean_rank(queries[:8], gallery)
    with pytest.raises(DataError, match=r"query_labels: got shape \(8,\), expected \(9,\)"):
        metrics.mean_average_precision(queries, gallery, labels[:8], labels)
    with pytest.raises(DataError, match="no query has a relevant item"):
        metrics.precision_recall_curve(queries, gallery, labels, labels + 100)
    with pytest.raises(DataError, match="labels of two kinds"):
        metrics.mean_average_precision(queries[:7], gallery[:7], LABELS, labels[:7])
    with pytest.raises(DataError, match=r"expected numbers of shape \(n, d\)"):
        metrics.ranks(queries[0], gallery)


def test_chance_map_is_the_mean_over_all_orders() -> None:
    n_relevant, n_items = 3, len(LABELS)
    orders = list(itertools.combinations(range(1, n_items + 1), n_relevant))
    expected = np.mean([np.mean(np.arange(1, n_relevant + 1) / places) for places in orders])
    assert metrics.chance_map(["bee"], LABELS) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n, expected", [(60, 0.156), (80, 0.145), (200, 0.122), (2000, 0.103)])
def test_chance_map_of_ten_balanced_classes(n: int, expected: float) -> None:
    labels = np.arange(n) % 10
    assert metrics.chance_map(labels, labels) == pytest.approx(expected, abs=5e-4)


def test_random_embeddings_score_chance() -> None:
    generator = np.random.default_rng(2)
    labels = np.arange(80) % 10
    found = [metrics.mean_average_precision(*generator.standard_normal((2, 80, 16)), labels, labels) for _ in range(40)]
    deviation = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - metrics.chance_map(labels, labels)) < 3 * deviation


@pytest.mark.parametrize("spread", [1e-3, 1e-4, 1e-5, 1e-6])
def test_nearly_collinear_embeddings_keep_their_ranks(spread: float) -> None:
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((3, 16))
    rows = centres[np.arange(240) % 3] + spread * generator.standard_normal((240, 16))
    assert metrics.recall_at_k(rows, rows, 1) == 1
    assert metrics.recall_at_k(rows, 3.7 * rows, 1) == 1
    assert metrics.mean_average_precision(rows, rows, np.arange(240), np.arange(240)) == 1
    # Twice the same item is a tie, whatever its length.
    assert set(
        metrics.ranks(
            np.repeat(rows, 2, axis=0),
            np.concatenate([rows, 1.7 * rows])[[row + half * 240 for row in range(240) for half in (0, 1)]],
        )
    ) == {1.5}


def test_total_correlation_is_that_of_components_and_of_the_pairs() -> None:
    generator = np.random.default_rng(0)
    one = generator.standard_normal((500, 3))
    other = np.column_stack([one[:, 0], -one[:, 1], generator.standard_normal(500)]) * (1, 5, 0.1) + 7
    by_component, trace_norm = metrics.total_correlation(one, other)
    expected = [np.corrcoef(one[:, k], other[:, k])[0, 1] for k in range(3)]
    assert by_component == pytest.approx(sum(expected))
    covariances = np.cov(np.hstack([one, other]).T)
    roots = [np.linalg.inv(np.linalg.cholesky(covariances[part, part])) for part in (slice(0, 3), slice(3, 6))]
    whitened = roots[0] @ covariances[:3, 3:] @ roots[1].T
    assert trace_norm == pytest.approx(np.linalg.svd(whitened, compute_uv=False).sum())
    # Components that are constant, or twice there, count once at most.
    again = [np.column_stack([a, np.ones(500), a[:, 0]]).astype(np.float32) for a in (one, other)]
    assert metrics.total_correlation(*again)[1] == pytest.approx(trace_norm, abs=1e-4)
    assert metrics.total_correlation(np.ones((4, 2)), one[:4, :2]) == (0, 0)
    with pytest.raises(DataError, match="expected two pairs or more"):
        metrics.total_correlation(one, other[:, :2])
