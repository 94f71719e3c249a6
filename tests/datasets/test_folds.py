"""Folds and renewed splits."""

from __future__ import annotations

import numpy as np
import pytest

from unisono.datasets.folds import assign_folds, redeal
from unisono.errors import ConfigError


@pytest.mark.parametrize("n_items, n_folds", [(28103, 5), (103, 7), (10, 5)])
def test_folds_are_even_in_size_and_class(n_items: int, n_folds: int) -> None:
    labels = np.random.default_rng(0).integers(10, size=n_items)
    folds = assign_folds(n_items, labels, n_folds=n_folds)
    sizes = np.bincount(folds, minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1
    for label in range(10):
        counts = np.bincount(folds[labels == label], minlength=n_folds)
        assert counts.max() - counts.min() <= 1


def test_folds_follow_the_seed() -> None:
    one, again, other = (assign_folds(50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("n_folds", [0, 1, 6])
def test_impossible_folds_raise(n_folds: int) -> None:
    with pytest.raises(ConfigError, match=f"folds: got {n_folds}, expected 2 to 5"):
        assign_folds(10, n_folds=n_folds)


def songs() -> tuple[np.ndarray, np.ndarray]:
    """Splits and songs of 300 items; songs have 1 to 6 items, the first 70 % are for training."""
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), generator.integers(1, 7, size=100))[:300].astype(str)
    order = np.unique(groups, return_inverse=True)[1]
    splits = np.where(order < 65, "train", np.where(order < 80, "validation", "test"))
    return splits, groups


def test_redealing_never_tests_a_training_item_and_keeps_songs_together() -> None:
    splits, groups = songs()
    np.testing.assert_array_equal(redeal(splits, groups, seed=0), splits)
    seen = set()
    for seed in range(1, 6):
        dealt = redeal(splits, groups, seed=seed)
        np.testing.assert_array_equal(dealt == "train", splits == "train")
        for group in np.unique(groups):
            assert len(set(dealt[groups == group])) == 1
        assert np.count_nonzero(splits == "test") - np.count_nonzero(dealt == "test") in (0, 1)
        np.testing.assert_array_equal(dealt, redeal(splits, groups, seed=seed))
        seen.add(tuple(dealt))
    assert len(seen) == 5


def test_redealing_without_groups_or_validation() -> None:
    splits = np.array(["train", "test", "train", "test"])
    np.testing.assert_array_equal(redeal(splits, None, seed=3), splits)
