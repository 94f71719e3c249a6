"""Dealing clips into folds and keeping some outside."""

from __future__ import annotations

from collections import Counter

import pytest

from unisono.config.vegas import Folds
from unisono.datasets.vegas.folding import deal
from unisono.errors import DataError

LABELS = ["dog"] * 20 + ["drum"] * 30
IDS = [f"clip{number}" for number in range(50)]


def test_a_share_of_each_class_stays_outside_and_the_rest_is_dealt_evenly() -> None:
    folds = deal(IDS, LABELS, Folds(n=5, outside=0.2, seed=0))
    assert Counter(zip(LABELS, folds, strict=True)) == {
        ("dog", -1): 4,
        ("drum", -1): 6,
        **{("dog", fold): count for fold, count in zip(range(5), _counts(LABELS, folds, "dog"), strict=True)},
        **{("drum", fold): count for fold, count in zip(range(5), _counts(LABELS, folds, "drum"), strict=True)},
    }
    assert sorted(_counts(LABELS, folds, "dog")) == [3, 3, 3, 3, 4]
    assert sorted(_counts(LABELS, folds, "drum")) == [4, 5, 5, 5, 5]
    assert folds == deal(IDS, LABELS, Folds(n=5, outside=0.2, seed=0))
    assert folds != deal(IDS, LABELS, Folds(n=5, outside=0.2, seed=1))


def _counts(labels: list[str], folds: list[int], label: str) -> list[int]:
    """Return how many clips of a class lie in each fold."""
    found = Counter(fold for name, fold in zip(labels, folds, strict=True) if name == label)
    return [found[fold] for fold in range(5)]


def test_none_stays_outside_by_default() -> None:
    assert min(deal(IDS, LABELS, Folds(n=5, outside=0.0, seed=0))) == 0


def test_too_few_clips_for_the_folds_name_the_class() -> None:
    with pytest.raises(DataError, match=r"class 'dog' has 4 clips for folds, fewer than the 5 folds"):
        deal(IDS, LABELS, Folds(n=5, outside=0.8, seed=0))


def test_ids_are_unique() -> None:
    with pytest.raises(DataError, match=r"id 'clip0' occurs 2 times"):
        deal(["clip0", "clip0"], ["dog", "dog"], Folds(n=2, outside=0.0, seed=0))
