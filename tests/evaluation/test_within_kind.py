"""The interval of true minus shuffled: its estimate, its variance in closed form, and its coverage where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from unisono import metrics
from unisono.errors import DataError
from unisono.evaluation.within_kind import Pool, difference_interval
from unisono.metrics import _similarity


def pool(n: int, *, seed: int = 0, signal: float = 0.0, songs: np.ndarray | None = None) -> Pool:
    """Songs of three kinds that are told by both views, with some of what is their own."""
    generator = np.random.default_rng(seed)
    kinds = generator.choice(3, size=n, p=[0.6, 0.3, 0.1])
    centres, own = 2 * generator.standard_normal((3, 8)), generator.standard_normal((n, 8))
    views = [centres[kinds] + generator.standard_normal((n, 8)) + signal * own for _ in range(2)]
    return Pool(*views, kinds, np.arange(n) if songs is None else songs)


@pytest.mark.parametrize(
    ("measure", "column"), [("mrr", "reciprocal"), ("recall_at_5", "hits"), ("mean_rank", "ranks")]
)
def test_the_estimate_is_the_true_measure_minus_the_shuffled_one(measure: str, column: str) -> None:
    pools = [pool(40, seed=1, signal=0.5), pool(30, seed=2, signal=0.5)]
    true = {
        "mrr": metrics.mean_reciprocal_rank,
        "recall_at_5": lambda q, g: metrics.recall_at_k(q, g, 5),
        "mean_rank": metrics.mean_rank,
    }[measure]
    expected = np.mean([true(own.queries, own.gallery) for own in pools])
    shuffled = np.mean(
        [getattr(metrics.within(own.queries, own.gallery, own.kinds, ks=(5,)), column).mean() for own in pools]
    )
    found = difference_interval(pools, measure=measure, n_draws=50)
    assert found.true == pytest.approx(expected)
    assert found.shuffled == pytest.approx(shuffled)
    assert found.mean == pytest.approx(expected - shuffled)
    assert found.low < found.mean < found.high
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_both_directions_are_averaged() -> None:
    own = pool(40, signal=0.5)
    there = difference_interval([own], n_draws=20)
    back = difference_interval([Pool(own.gallery, own.queries, own.kinds, own.songs)], n_draws=20)
    both = difference_interval([own], both=True, n_draws=20)
    assert both.mean == pytest.approx((there.mean + back.mean) / 2)
    assert both.true == pytest.approx((there.true + back.true) / 2)


def test_the_seed_decides_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = pool(40)
    first = difference_interval([own], seed=3, n_draws=50)
    assert difference_interval([own], seed=3, n_draws=50) == first
    assert difference_interval([own], seed=4, n_draws=50).low != first.low
    monkeypatch.setattr(_similarity, "BLOCK_BYTES", 40 * 8 * 7)
    assert difference_interval([own], seed=3, n_draws=50) == pytest.approx(first)


def test_the_width_is_that_of_a_sum_of_independent_songs() -> None:
    # One kind and no ties: what a query gains varies by itself, and draws within a kind hardly add to it.
    own = pool(400, signal=0.3)._replace(kinds=np.zeros(400, dtype=int))
    gains = metrics.reciprocal_ranks(own.queries, own.gallery) - metrics.chance_reciprocal_rank(400)
    found = difference_interval([own], n_draws=2000)
    assert (found.high - found.low) / 2 == pytest.approx(1.966 * gains.std() / 20, rel=0.1)


def test_the_same_songs_in_two_deals_say_no_more_than_once() -> None:
    own = pool(60, signal=0.3)
    once = difference_interval([own], n_draws=2000)
    twice = difference_interval([own, own], n_draws=2000)
    others = difference_interval([own, own._replace(songs=np.arange(60, 120))], n_draws=2000)
    width = once.high - once.low
    assert twice.high - twice.low == pytest.approx(width, rel=0.1)
    assert others.high - others.low == pytest.approx(width / np.sqrt(2), rel=0.1)


def test_deals_that_differ_widen_it() -> None:
    good, bad = pool(60, seed=5, signal=3.0), pool(60, seed=6, signal=0.0, songs=np.arange(60, 120))
    alike = difference_interval([bad, pool(60, seed=7, songs=np.arange(120, 180))], n_draws=300)
    differ = difference_interval([good, bad], n_draws=300)
    assert differ.high - differ.low > 3 * (alike.high - alike.low)


def test_a_kind_of_one_song_adds_nothing() -> None:
    own = pool(20)._replace(kinds=np.arange(20))
    assert difference_interval([own], n_draws=20)[2:] == pytest.approx((0, 0, 0))


def test_bad_input_raises() -> None:
    own = pool(10)
    with pytest.raises(DataError, match="no pool to compare"):
        difference_interval([])
    with pytest.raises(DataError, match="measure: got 'map', expected mrr, recall_at_<k> or mean_rank"):
        difference_interval([own], measure="map")
    with pytest.raises(DataError, match="pool 0: a song stands there twice"):
        difference_interval([own._replace(songs=np.zeros(10))])
    with pytest.raises(DataError, match="10 queries, a gallery of 9 and 10 songs do not pair"):
        difference_interval([own._replace(gallery=own.gallery[:9])])
    with pytest.raises(DataError, match=r"got shape \(9,\), expected \(10,\)"):
        difference_interval([own._replace(kinds=own.kinds[:9])])


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["mrr", "recall_at_10"])
def test_songs_of_a_kind_that_are_drawn_at_random_are_marked_at_the_nominal_level(measure: str) -> None:
    """Five deals, each of a quarter of 220 songs; items that all queries find, and what a song keeps in every deal."""
    generator = np.random.default_rng(0)

    def outside(signal: float) -> np.ndarray:
        found = []
        for seed in range(150):
            kinds = generator.choice(3, size=220, p=[0.6, 0.25, 0.15])
            centres, kept = generator.standard_normal((3, 8)), generator.standard_normal((2, 220, 8))
            own, pools = generator.standard_normal((220, 8)), []
            for _ in range(5):
                rows = generator.permutation(220)[:55]
                noise = generator.standard_normal((2, 220, 8))
                views = centres[kinds] + 0.7 * kept + 0.7 * noise + signal * own
                pools.append(Pool(views[0, rows], views[1, rows] + 0.5, kinds[rows], rows))
            interval = difference_interval(pools, measure=measure, both=True, seed=seed, n_draws=200)
            found.append((interval.low > 0, interval.high < 0))
        return np.mean(found, axis=0)

    above, below = outside(0.0)
    assert above + below <= 0.09
    assert outside(0.5)[0] >= 0.9
