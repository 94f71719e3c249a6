"""The triplet network: it learns classes, is reproducible, resumes, and says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.small import resume_after_kill, two_views
from unisono import metrics, models
from unisono.errors import ConfigError, DataError, TrainingError

SMALL = {
    "layers": {"audio": [12, 4], "other": [16, 4]},
    "epochs": 3,
    "min_steps": 0,
    "batch_size": 20,
    "dropout": 0.1,
}


def both(name: str, **params: Any) -> models.Aligner:
    """Make a small model; tnn_c_cca with as many components as there are classes."""
    extra = {"n_components": 3} if name == "tnn_c_cca" else {}
    return models.create(name, **SMALL | extra | params)


every = pytest.mark.parametrize("name", ["tnn", "tnn_c_cca"])


@every
def test_finds_the_class_of_unseen_items(name: str) -> None:
    views, labels = two_views(noise=0.6)
    test, truth = two_views(seed=1, noise=0.6)
    model = both(name, min_steps=300).fit(views, labels)
    found = model.transform(test)
    for query, target in (("audio", "visual"), ("visual", "audio")):
        assert metrics.mean_average_precision(found[query], found[target], truth, truth) > 0.8
    assert model.history_[-1]["active"] < 0.7 * model.history_[0]["active"]


@every
@pytest.mark.parametrize("triplets", ["batch-all", "batch-semi-hard", "batch-hard", "random"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean", "squared-euclidean"])
def test_every_selection_and_distance_trains_the_same_way_twice(name: str, triplets: str, distance: str) -> None:
    views, labels = two_views(noise=0.6)
    one, two = (both(name, triplets=triplets, distance=distance).fit(views, labels) for _ in range(2))
    assert one.history_ == two.history_
    assert len(one.history_) == 3
    for key, array in one.arrays_.items():
        np.testing.assert_array_equal(two.arrays_[key], array)
    other = both(name, triplets=triplets, distance=distance, seed=5).fit(views, labels)
    assert other.history_ != one.history_


@every
@pytest.mark.parametrize("triplets", ["batch-all", "random"])
def test_interrupted_training_resumes_to_the_same_result(
    name: str, triplets: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, labels = two_views(noise=0.6)
    ran = resume_after_kill(
        lambda checkpoint: both(name, triplets=triplets, epochs=6).fit(views, labels, checkpoint=checkpoint),
        tmp_path / "kept",
        monkeypatch,
    )
    assert ran == [4, 5]


@every
def test_few_rows_get_more_epochs(name: str) -> None:
    views, labels = two_views(noise=0.6)
    assert len(both(name, min_steps=0).fit(views, labels).history_) == 3
    # Five batches of 20 an epoch.
    assert len(both(name, min_steps=15).fit(views, labels).history_) == 3
    assert len(both(name, min_steps=16).fit(views, labels).history_) == 4
    assert len(both(name, min_steps=16, batches=2).fit(views, labels).history_) == 8


@every
def test_class_with_one_item_is_only_a_negative(name: str) -> None:
    views, labels = two_views(41, noise=0.6)
    labels = np.where(np.arange(41) == 40, 9, labels)
    for own_pair in (False, True):
        model = both(name, own_pair=own_pair).fit(views, labels)
        assert all(np.isfinite(array).all() for array in model.transform(views).values())
    alone = np.arange(41)
    with pytest.raises(DataError, match=f"{name}: no class has two training rows"):
        both(name).fit(views, alone)


@every
def test_divergence_stops_with_the_remedy(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(TrainingError, match=rf"{name}: training diverged in epoch 1.*models\.{name}\.learning_rate"):
        both(name, learning_rate=1e38).fit(views, labels)


@every
def test_anchor_is_a_view_by_name_or_audio(name: str) -> None:
    views, labels = two_views(noise=0.6)
    for given, anchor, other in (("auto", 6, 8), ("audio", 6, 8), ("visual", 8, 6)):
        model = both(name, anchor=given).fit(views, labels)
        if name == "tnn":
            assert len(model.arrays_["networks.anchor.0.mean"]) == anchor
            assert len(model.arrays_["networks.other.0.mean"]) == other
        assert model.arrays_["networks.anchor.1.bias"].shape == ((12,) if given != "visual" else (16,))
    named = {"b": views["audio"], "c": views["visual"]}
    assert both(name).fit(named, labels).arrays_["networks.anchor.1.bias"].shape == (16,)
    with pytest.raises(ConfigError, match=rf"models\.{name}\.anchor: 'vusual' is no view; did you mean 'visual'"):
        both(name, anchor="vusual").fit(views, labels)


@every
def test_last_activation_sets_the_range(name: str) -> None:
    views, labels = two_views(noise=0.6)
    found = both(name, last="tanh+sigmoid").fit(views, labels).transform(views)
    for array in found.values():
        assert 0.268 < array.min() < array.max() < 0.732
    found = both(name).fit(views, labels).transform(views)
    assert all(0 < array.min() < array.max() < 1 for array in found.values())


@every
def test_layers_that_do_not_fit_raise(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(ConfigError, match=rf"models\.{name}\.layers: the last widths differ \(audio 3, other 4\)"):
        both(name, layers={"audio": [5, 3], "other": [5, 4]}).fit(views, labels)
    with pytest.raises(ConfigError, match=f"models.{name}.layers: no widths for view 'visual'"):
        both(name, layers={"audio": [5, 3]}).fit(views, labels)


@every
def test_views_of_any_scale_train_alike(name: str) -> None:
    views, labels = two_views(noise=0.6)
    scaled = {view: 512 * array for view, array in views.items()}
    one, two = (both(name).fit(given, labels).transform(given) for given in (views, scaled))
    for view, array in one.items():
        np.testing.assert_allclose(two[view], array, rtol=1e-3, atol=1e-4)
