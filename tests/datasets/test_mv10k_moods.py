"""Mood labels: seeds, k-means from given centres, clusters smaller than the folds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from unisono.datasets.mv10k import moods
from unisono.errors import DataError


@pytest.fixture
def points() -> np.ndarray:
    """Three far groups of ten points each, in order."""
    rng = np.random.default_rng(0)
    return np.repeat([[0, 0], [10, 0], [0, 10]], 10, axis=0) + 0.1 * rng.standard_normal((30, 2))


def test_kmeans_from_given_centres_keeps_their_names(points: np.ndarray) -> None:
    seeds = {"calm": [20, 21, 22], "fun": [0, 1, 2], "warm": [10, 11, 12]}
    codes, centres = moods.cluster(points, seeds)
    np.testing.assert_array_equal(codes, np.repeat([1, 2, 0], 10))
    np.testing.assert_allclose(centres[0], points[20:].mean(0))


def test_model_seeds_are_the_surest_and_never_shared() -> None:
    probabilities = np.zeros((12, 3))
    probabilities[:, 0] = np.linspace(1, 0.5, 12)
    probabilities[:, 2] = 1 - probabilities[:, 0]
    seeds = moods.model_seeds(probabilities, ["warm", "never", "calm"], clusters=2)
    assert list(seeds) == ["calm", "warm"]
    assert seeds == {"calm": [11, 10, 9], "warm": [0, 1, 2]}
    same = moods.model_seeds(np.full((12, 3), 1 / 3), ["a", "b", "c"], clusters=3)
    assert same == {"a": [0, 1, 2], "b": [3, 4, 5], "c": [6, 7, 8]}
    with pytest.raises(DataError, match=r"knows 3 moods, but mv10k\.moods\.clusters is 10"):
        moods.model_seeds(probabilities, ["a", "b", "c"], clusters=10)
    with pytest.raises(DataError, match="8 videos are too few for 3 moods"):
        moods.model_seeds(probabilities[:8], ["a", "b", "c"], clusters=3)


def test_annotated_seeds() -> None:
    pairs = {f"v{i}": ("fun", "calm")[i % 2] for i in range(6)}
    ids = [f"v{i}" for i in reversed(range(9))]
    assert moods.annotated_seeds(pairs, ids, clusters=2, where="s.csv") == {"calm": [7, 5, 3], "fun": [8, 6, 4]}
    with pytest.raises(DataError, match=r"s\.csv: names 2 moods"):
        moods.annotated_seeds(pairs, ids, clusters=10, where="s.csv")
    with pytest.raises(DataError, match=r"id 'v0' is not among the 3 videos"):
        moods.annotated_seeds(pairs, ["v1", "v2", "v3"], clusters=2, where="s.csv")
    del pairs["v0"]
    with pytest.raises(DataError, match="mood 'fun' has 2 audios, expected 3"):
        moods.annotated_seeds(pairs, ids, clusters=2, where="s.csv")


def small_cluster(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of 18, 10 and 2 points: the last is too small for five folds."""
    codes = np.repeat([0, 1, 0], 10)
    codes[[20, 21]] = 2
    return codes, np.stack([points[codes == c].mean(0) for c in range(3)])


def test_balance_takes_the_nearest_of_larger_clusters(points: np.ndarray) -> None:
    codes, centres = small_cluster(points)
    with pytest.warns(UserWarning, match=r"mood 'c': a cluster of 2 videos, fewer than 5 folds; it took the 3 n"):
        mended = moods.mend_small(codes, points, centres, smallest=5, how="balance", names="abc")
    assert np.bincount(mended).tolist() == [15, 10, 5]
    assert set(np.flatnonzero(mended == 2)) < set(range(20, 30))


def test_merge_gives_its_videos_away(points: np.ndarray) -> None:
    codes, centres = small_cluster(points)
    with pytest.warns(UserWarning, match="went to the nearest other"):
        mended = moods.mend_small(codes, points, centres, smallest=5, how="merge", names="abc")
    assert np.bincount(mended).tolist() == [20, 10]


def test_nothing_is_done_where_nothing_is_small(points: np.ndarray) -> None:
    codes, centres = small_cluster(points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            moods.mend_small(codes, points, centres, smallest=2, how="balance", names="abc"), codes
        )


def test_too_few_videos_for_the_folds(points: np.ndarray) -> None:
    codes, centres = small_cluster(points)
    with pytest.raises(DataError, match="30 videos are too few for 3 moods of 11"):
        moods.mend_small(codes, points, centres, smallest=11, how="balance", names="abc")
    with pytest.warns(UserWarning, match="fewer than 15"), pytest.raises(DataError, match="left a single mood"):
        moods.mend_small(codes, points, centres, smallest=15, how="merge", names="abc")
