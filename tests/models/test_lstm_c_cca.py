"""LSTM-C-CCA: sequences, their padding and their length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from unisono import metrics, models
from unisono.errors import ConfigError
from unisono.models import lstm_c_cca

SETTINGS: dict[str, Any] = {"n_components": 3, "layers": {"other": [8, 8, 6]}, "outputs": 8, "batch": 40, "ridge": 0.1}


def ordered_views(n: int, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """Sequences of two to four frames; classes differ in the order of a mark, not in its mean."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    lengths = generator.integers(2, 5, n)
    made = {}
    for view, width in (("audio", 4), ("visual", 5)):
        array = 0.3 * generator.standard_normal((n, 4, width))
        array[np.arange(n), 0, 0] += np.where(labels == 0, 2, -2)
        array[np.arange(n), 1, 0] -= np.where(labels == 0, 2, -2)
        made[view] = array * (np.arange(4) < lengths[:, None])[..., None]
    return made, labels, dict.fromkeys(made, lengths)


def test_reads_the_order_of_frames() -> None:
    views, labels, lengths = ordered_views(120)
    test, test_labels, test_lengths = ordered_views(100, seed=1)
    found = {}
    for name in ("lstm_c_cca", "c_dcca"):
        settings = SETTINGS if name == "lstm_c_cca" else {"layers": {"other": [8, 8]}, "batch": 40, "min_steps": 0}
        model = models.create(name, **(settings | {"n_components": 1, "epochs": 40, "learning_rate": 3e-3}))
        embedded = model.fit(views, labels, lengths=lengths).transform(test, lengths=test_lengths)
        pair = embedded["audio"], embedded["visual"]
        found[name] = metrics.mean_average_precision(*pair, test_labels, test_labels)
    assert found["lstm_c_cca"] > 0.85
    assert found["c_dcca"] < 0.65


def test_padding_has_no_part_in_anything() -> None:
    """Neither its content nor its length changes a bit of what is learned."""
    views, labels, lengths = ordered_views(60)
    padded = {view: np.full((60, 9, array.shape[2]), 1e4) for view, array in views.items()}
    for view, array in views.items():
        for row, length in enumerate(lengths[view]):
            padded[view][row, :length] = array[row, :length]
    plain = models.create("lstm_c_cca", epochs=2, **SETTINGS).fit(views, labels, lengths=lengths)
    other = models.create("lstm_c_cca", epochs=2, **SETTINGS).fit(padded, labels, lengths=lengths)
    for key, array in plain.arrays_.items():
        np.testing.assert_array_equal(other.arrays_[key], array)
    found, expected = other.transform(padded, lengths=lengths), plain.transform(views, lengths=lengths)
    for view in views:
        np.testing.assert_array_equal(found[view], expected[view])


def test_padding_gets_no_gradient() -> None:
    network = lstm_c_cca._recurrent(3, [4, 4, 5], 6, 2, dropout=0.0, scale=(np.zeros(3), np.ones(3)))
    sequences = torch.randn(2, 6, 4)
    sequences[:, :, -1] = torch.arange(6) < 4
    sequences.requires_grad_()
    network(sequences).sum().backward()
    assert sequences.grad is not None
    assert (sequences.grad[:, 4:, :-1] == 0).all()
    assert (sequences.grad[:, :4, :-1] != 0).all()


def test_a_view_without_a_time_axis_is_one_frame() -> None:
    views, labels, _ = ordered_views(60)
    flat = {view: array[:, 0] for view, array in views.items()}
    single = {view: array[:, :1] for view, array in views.items()}
    made = [models.create("lstm_c_cca", epochs=2, **SETTINGS).fit(v, labels).transform(v) for v in (flat, single)]
    for view in views:
        np.testing.assert_array_equal(made[0][view], made[1][view])


def test_longer_and_shorter_items_than_in_training_can_be_embedded() -> None:
    views, labels, lengths = ordered_views(60)
    model = models.create("lstm_c_cca", epochs=2, **SETTINGS).fit(views, labels, lengths=lengths)
    longer = {view: np.concatenate([array, array], axis=1) for view, array in views.items()}
    found = model.transform(longer)["audio"]
    np.testing.assert_array_equal(found, model.transform(views)["audio"])
    shorter = model.transform({"audio": views["audio"][:, :1]})["audio"]
    ones = {"audio": np.ones(60, dtype=int)}
    np.testing.assert_array_equal(shorter, model.transform({"audio": views["audio"]}, lengths=ones)["audio"])


def test_frames_are_standardised_by_the_real_ones_alone() -> None:
    views, labels, lengths = ordered_views(60)
    model = models.create("lstm_c_cca", epochs=1, **SETTINGS).fit(views, labels, lengths=lengths)
    real = np.arange(4) < lengths["audio"][:, None]
    expected = views["audio"].astype(np.float32)[real].mean(axis=0)
    np.testing.assert_allclose(model.arrays_["audio.network.scaling.0.mean"], expected, rtol=1e-5, atol=1e-6)


def test_three_widths_are_needed() -> None:
    with pytest.raises(ConfigError, match=r"models\.lstm_c_cca\.layers"):
        models.create("lstm_c_cca", layers={"other": [8, 8]})
