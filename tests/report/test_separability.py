"""The linear classifier of the data cards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unisono.datasets.loading import Dataset
from unisono.report import separability


def dataset(noise: float, *, shuffled: bool = False) -> Dataset:
    """Return 200 items of four classes in five folds; `lonely` frames beyond the real ones hold the wrong class."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    vectors = np.eye(4)[labels] + noise * draw.normal(size=(200, 4))
    frames = np.stack([vectors, np.eye(4)[(labels + 1) % 4] * 100], axis=1)
    return Dataset(
        name="made",
        source="made",
        ids=np.array([f"i{number}" for number in range(200)]),
        views={"flat": vectors.astype(np.float32), "padded": frames.astype(np.float32)},
        lengths={"padded": np.ones(200, dtype=np.int64)},
        labels=draw.permutation(labels) if shuffled else labels,
        folds=np.arange(200) % 5,
    )


@pytest.mark.parametrize("view", ["flat", "padded"])
def test_classes_far_apart_are_told_apart_by_their_real_frames(view: str) -> None:
    assert separability.accuracy(dataset(0.1), view).tolist() == [1.0] * 5


def test_shuffled_labels_are_at_chance() -> None:
    assert separability.accuracy(dataset(0.1, shuffled=True), "flat").mean() == pytest.approx(0.25, abs=0.08)


def test_nothing_to_say_without_features(tmp_path: Path) -> None:
    assert list(separability.lines(tmp_path)) == []
