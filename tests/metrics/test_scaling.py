"""CSLS against the numbers that one gets by hand."""

from __future__ import annotations

import numpy as np
import pytest

from unisono import metrics
from unisono.errors import DataError


def test_three_by_three_by_hand() -> None:
    scores = np.array([[0.8, 0.4, 0.0], [0.6, 0.2, 0.1], [0.9, 0.3, 0.7]])
    # Means of the two best of each row, and of each column.
    rows, columns = [0.6, 0.4, 0.8], [0.85, 0.35, 0.4]
    by_hand = [[0.15, -0.15, -1.0], [-0.05, -0.35, -0.6], [0.15, -0.55, 0.2]]
    np.testing.assert_allclose(metrics.csls(scores, n_neighbours=2), by_hand, atol=1e-12)
    np.testing.assert_allclose(by_hand, 2 * scores - np.array(rows)[:, None] - columns, atol=1e-12)
    # Ten neighbours are all three of them.
    expected = 2 * scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0)
    np.testing.assert_allclose(metrics.csls(scores), expected, atol=1e-12)


def test_a_hub_no_longer_wins() -> None:
    generator = np.random.default_rng(0)
    scores = np.eye(40) + 0.01 * generator.standard_normal((40, 40))
    scores[:, 7] += 1.5
    assert (scores.argmax(axis=1) == np.arange(40)).sum() == 1
    assert (metrics.csls(scores).argmax(axis=1) == np.arange(40)).all()


def test_a_gallery_of_one_and_a_single_query() -> None:
    column = np.array([[0.5], [0.1], [-0.2]])
    np.testing.assert_allclose(metrics.csls(column), column - column.mean())
    row = np.array([[0.3, 0.9, 0.1]])
    np.testing.assert_allclose(metrics.csls(row), row - row.mean())
    assert metrics.csls(np.array([[0.25]])).tolist() == [[0.0]]


def test_equal_items_tie_exactly_wherever_they_stand() -> None:
    generator = np.random.default_rng(1)
    gallery = generator.standard_normal((50, 7))[generator.integers(20, size=50)]
    scores = metrics.similarities(generator.standard_normal((30, 7)), gallery)
    found = metrics.csls(scores)
    _, codes = np.unique(gallery, axis=0, return_inverse=True)
    for code in range(codes.max() + 1):
        assert (np.ptp(found[:, codes.ravel() == code], axis=1) == 0).all()
    order = generator.permutation(50)
    np.testing.assert_array_equal(metrics.csls(scores[:, order]), found[:, order])


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        ([[0.1, np.nan]], 10, "NaN or infinite"),
        ([0.1, 0.2], 10, r"expected numbers of shape \(n, m\)"),
        (np.empty((0, 3)), 10, r"expected numbers of shape \(n, m\)"),
        ([["a"]], 10, "expected numbers"),
        ([[0.1, 0.2]], 0, "n_neighbours: got 0, expected at least 1"),
    ],
)
def test_what_is_no_matrix_of_scores_is_refused(scores: object, k: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        metrics.csls(scores, k)  # type: ignore[arg-type]
