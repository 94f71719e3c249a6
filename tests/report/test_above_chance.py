"""The interval that a run's fractions have, and what it can tell from chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unisono.report import above_chance


def test_an_interval_of_fractions_stays_among_them() -> None:
    assert above_chance.interval([0.5]) == (0.0, 1.0)
    assert above_chance.interval([0.0, 0.0, 0.0]) == (0.0, 0.0)
    low, high = above_chance.interval([0.9, 1.0, 1.0])
    assert 0 < low < high <= 1
    # In the middle of the scale it is the usual one.
    values = [0.48, 0.5, 0.52]
    half = 4.302653 * np.std(values, ddof=1) / math.sqrt(3)
    assert above_chance.interval(values) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-3)


def test_it_covers_the_true_fraction_and_tells_it_from_chance() -> None:
    """Of 3 seeds with 135 queries each: at chance one in forty is called above it, far from chance nearly all."""
    generator = np.random.default_rng(0)
    chance, n = 1 / 135, 135
    lows = {
        true: [above_chance.interval((generator.binomial(n, true, 3) / n).tolist())[0] for _ in range(2000)]
        for true in (chance, 0.25)
    }
    assert np.mean(np.array(lows[chance]) > chance) < 0.06
    assert np.mean(np.array(lows[0.25]) > chance) > 0.999
