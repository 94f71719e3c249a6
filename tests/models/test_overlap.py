"""Overlap and popularity: closed forms, simulation, ties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unisono import models
from unisono.errors import DataError
from unisono.metrics import inner_products
from unisono.models import overlap

GENERATOR = np.random.default_rng(0)
#: Tags of five pictures as probabilities, one certain, one picture without any; of four lyrics what they have.
PROBABLE = GENERATOR.random((5, 6)) * (GENERATOR.random((5, 6)) < 0.7)
PROBABLE[1, 2], PROBABLE[3] = 1, 0
HAS = (GENERATOR.random((4, 6)) < 0.5).astype(float)
HAS[2] = 0


def score(rule: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    model = models.create("overlap", rule=rule).fit(
        {"image": PROBABLE[:, : one.shape[1]], "lyrics": HAS[:, : one.shape[1]]}, relevance=np.ones((5, 4))
    )
    scores = model.score({"image": one}, {"lyrics": other})
    np.testing.assert_array_equal(model.score({"lyrics": other}, {"image": one}), scores.T)
    return scores


@pytest.mark.parametrize("other", [HAS, HAS * 0.3, GENERATOR.random((4, 6))])
def test_overlap_is_its_formula(other: np.ndarray) -> None:
    pairs = PROBABLE[:, None] * other
    np.testing.assert_allclose(score("sum", PROBABLE, other), pairs.sum(axis=2), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(score("any", PROBABLE, other), 1 - (1 - pairs).prod(axis=2), rtol=1e-12, atol=1e-14)


def test_any_is_how_often_a_tag_is_shared() -> None:
    times = 20_000
    tags = GENERATOR.random((times, *PROBABLE.shape)) < PROBABLE
    often = np.mean([(drawn[:, None] & (HAS > 0)).any(axis=2) for drawn in tags], axis=0)
    found = score("any", PROBABLE, HAS)
    np.testing.assert_allclose(found, often, atol=5 * 0.5 / np.sqrt(times))
    # What is certain is exactly so, as is what cannot be.
    assert (found[1] == (HAS[:, 2] > 0)).sum() >= HAS[:, 2].sum()
    assert not found[3].any()
    assert not found[:, 2].any()


def test_small_probabilities_are_neither_lost_nor_rounded() -> None:
    tiny = np.full((1, 6), 1e-12)
    np.testing.assert_allclose(score("any", tiny, np.ones((1, 6))), 6e-12, rtol=1e-9)
    # Twenty tags of .9: one minus 1e-20 rounds to one, thirteen do not.
    sure = np.full((1, 6), 0.9)
    assert score("any", sure, np.ones((1, 6)))[0, 0] == pytest.approx(1 - 1e-6, abs=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = GENERATOR.random((5, 6)), GENERATOR.random((4, 6))
    whole = score("any", one, other)
    monkeypatch.setattr(overlap, "BLOCK", 1)
    np.testing.assert_array_equal(score("any", one, other), whole)


@pytest.mark.parametrize("rule", ["sum", "any"])
def test_equal_items_tie_wherever_they_stand(rule: str) -> None:
    one, other = GENERATOR.random((30, 40)), GENERATOR.random((7, 40))
    for gallery in (other, (other > 0.5).astype(float)):
        rows = GENERATOR.integers(7, size=101)
        model = models.create("overlap", rule=rule).fit({"image": one[:2], "lyrics": one[:2]})
        scores = model.score({"image": one}, {"lyrics": gallery[rows]})
        first = np.array([np.argmax(rows == row) for row in rows])
        np.testing.assert_array_equal(scores, scores[:, first])


def test_inner_products_are_exact_sums() -> None:
    one, other = GENERATOR.standard_normal((9, 300)) * 1e-30, GENERATOR.standard_normal((8, 300)) * 1e25
    exact = [[math.fsum(a * b) for b in other] for a in one]
    np.testing.assert_allclose(inner_products(one, other), exact, atol=1e-5 * 300 * 2**-40)
    order = GENERATOR.permutation(300)
    np.testing.assert_array_equal(inner_products(one[:, order], other[:, order]), inner_products(one, other))
    assert inner_products([[0.0, 0.0]], [[1.0, 2.0]]).tolist() == [[0.0]]
    with pytest.raises(DataError, match="queries are 2 wide, the gallery 3; an inner product needs one width"):
        inner_products(np.ones((1, 2)), np.ones((1, 3)))


def test_true_tags_find_whatever_shares_one() -> None:
    """Relevance that is made by shared tags is ranked perfectly by them."""
    tags = (GENERATOR.random((20, 6)) < 0.3).astype(float)
    for rule in ("sum", "any"):
        np.testing.assert_array_equal(score(rule, tags, HAS) > 0, tags @ HAS.T > 0)


def test_bad_values_and_widths_are_named() -> None:
    with pytest.raises(DataError, match=r"overlap: views of unequal width \(image 6, lyrics 5\); both must have"):
        models.create("overlap").fit({"image": PROBABLE[:4], "lyrics": HAS[:, :5]})
    for wrong in (-0.1, 1.5):
        broken = HAS.copy()
        broken[2, 3] = wrong
        assert np.isfinite(score("sum", PROBABLE, broken)).all()
        with pytest.raises(DataError, match="overlap: view 'lyrics', row 2: a value outside of 0 to 1; rule any takes"):
            score("any", PROBABLE, broken)


def test_popularity_is_the_gallerys_own_value() -> None:
    pictures, lyrics = GENERATOR.random((5, 2)), np.array([[3.0], [9], [9], [1]])
    model = models.create("popularity").fit({"image": pictures, "lyrics": lyrics}, relevance=np.ones((5, 4)))
    np.testing.assert_array_equal(model.score({"image": pictures}, {"lyrics": lyrics}), np.tile([3, 9, 9, 1], (5, 1)))
    backwards = model.score({"lyrics": lyrics}, {"image": pictures})
    np.testing.assert_allclose(backwards, np.tile(pictures.sum(axis=1), (4, 1)))
    assert model.transform({"lyrics": lyrics})["lyrics"].tolist() == lyrics.tolist()
