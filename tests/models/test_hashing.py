"""Binary codes: their cosine ranks as the Hamming distance does, and ties are counted."""

from __future__ import annotations

import numpy as np
import pytest

from unisono import metrics
from unisono.models.parts import hashing


def test_cosine_of_codes_ranks_by_hamming_distance() -> None:
    generator = np.random.default_rng(0)
    one, other = (hashing.signs(generator.standard_normal((n, 10))) for n in (20, 60))
    hamming = (one[:, None] != other).sum(axis=2)
    cosine = (one @ other.T) / (np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1))
    np.testing.assert_allclose(cosine, 1 - 2 * hamming / 10, atol=1e-6)
    # The ranking measures see a tie wherever the Hamming distances are equal.
    expected = [1 + (row < row[i]).sum() + ((row == row[i]).sum() - 1) / 2 for i, row in enumerate(hamming[:, :20])]
    np.testing.assert_array_equal(metrics.ranks(one, other[:20]), expected)


def test_zero_is_a_code_too() -> None:
    np.testing.assert_array_equal(hashing.signs(np.array([[-0.5, 0.0, 1e-9]])), [[-1, 1, 1]])


def test_share_of_ties_equals_a_plain_count() -> None:
    generator = np.random.default_rng(1)
    one, other = (hashing.signs(generator.standard_normal((n, 4))) for n in (7, 9))
    scores = one @ other.T
    pairs = [(a, b) for a in range(9) for b in range(9) if a != b]
    expected = np.mean([[row[a] == row[b] for a, b in pairs] for row in scores])
    assert hashing.tied_share(one, other) == pytest.approx(expected)
    assert hashing.tied_share(one, np.ones((5, 4), np.float32)) == 1
