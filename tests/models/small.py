"""What tests of methods share: settings for little data and time, views of classes, a training that is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono import models
from unisono.models.parts import deep

SMALL: dict[str, dict[str, Any]] = {
    "baseline": {"layers": {"other": [16, 6]}, "epochs": 2},
    "baseline_gan": {"layers": {"other": [16, 6]}, "epochs": 2, "n_candidates": 64},
    "darlearning": {"layers": {"other": [16, 6]}, "epochs": 2, "n_candidates": 64},
    "agah": {"n_components": 6, "layers": {"other": [16]}, "features": 12, "epochs": 2, "min_steps": 0},
    "acmr": {"layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "cca": {"n_components": 3},
    "clip": {"layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0},
    "dscmr": {"layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0},
    "supcon": {"layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0},
    "c_cca": {"n_components": 2},
    "c_kcca": {"n_components": 2},
    "gcca": {"n_components": 3},
    "kcca": {"n_components": 3},
    "local_cca": {"context": 1},
    "multi_view": {"n_components": 3},
    "posterior": {"scalings": ["columns", "whitened"], "widths": [0.3]},
    "scm": {"n_components": 3},
    "semantic_matching": {},
    "c_dcca": {"n_components": 3, "layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0, "batch": 45},
    "dcca": {"n_components": 3, "layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0, "batch": 45},
    "joint_dcca": {
        "n_components": 3,
        "layers": {"other": [16, 6]},
        "channels": [4, 6, 8],
        "epochs": 2,
        "min_steps": 0,
        "batch": 45,
    },
    "lstm_c_cca": {"n_components": 3, "layers": {"other": [6, 5, 4]}, "outputs": 6, "epochs": 2, "batch": 45},
    "s_dcca": {"n_components": 3, "layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0, "batch": 45},
    "tag_attention": {"units": 4, "hidden": 6, "batch_size": 40, "extra": 5, "epochs": 2, "min_steps": 0},
    "tnn": {"layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "tnn_c_cca": {"n_components": 2, "layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "ucal": {"layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "ugach": {"n_components": 6, "hidden": 16, "epochs": 2, "pretraining_epochs": 1, "min_steps": 0},
}

#: What a method needs on top of these, and of ten epochs at a learning rate of .01, to learn clearly within seconds
#: (test_chance.py).
LEARNING: dict[str, dict[str, Any]] = {
    "tag_attention": {"units": 16, "hidden": 32},
    "agah": {"layers": {"other": [64]}, "features": 64, "dropout": 0.2, "epochs": 20},
    # Choosing them takes minutes; test_defaults.py has them chosen.
    "cca": {"ridge": 0.1},
    "c_cca": {"ridge": 0.1},
    "gcca": {"ridge": 0.1},
    "scm": {"ridge": 0.1},
    "kcca": {"width": 10.0, "ridge": 0.1},
    "c_kcca": {"width": 10.0, "ridge": 0.1},
    "clip": {"layers": {"other": [32, 16]}, "epochs": 30, "learning_rate": 0.003},
    "dscmr": {"layers": {"other": [32, 16]}, "dropout": 0.2, "epochs": 30},
    "supcon": {"layers": {"other": [32, 16]}, "dropout": 0.2, "epochs": 30},
    # Two frames are no picture.
    "joint_dcca": {"audio_branch": "recurrent", "units": 32},
    # In data with few shared directions only own pairs are a guide, and weight decay makes all outputs equal.
    "ugach": {
        "hidden": 32,
        "neighbours": 2,
        "weight_decay": 0.0,
        "generator_weight_decay": 0.0,
        "pretraining_epochs": 10,
    },
}


def two_views(n: int = 100, seed: int = 0, *, noise: float = 0.4) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Views of four classes: class means in noise, of another scale and place in each view."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    views = {}
    for view, width, scale in (("audio", 6, 100.0), ("visual", 8, 0.01)):
        means = np.random.default_rng(width).standard_normal((4, width))
        views[view] = scale * (3 + means[labels] + noise * generator.standard_normal((n, width)))
    return views, labels


def resume_after_kill(
    train: Callable[[Path | None], models.Aligner], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Kill a training in its fifth epoch and go on; it must end as one that was not killed.

    Returns the number of the epoch at every check that a loss or weights are finite, since it went on.
    """
    whole = train(None)
    check = deep.check_finite
    ran: list[int] = []

    def killed(model: str, epoch: int, terms: dict[str, float]) -> None:
        if epoch == 4:
            raise KeyboardInterrupt
        check(model, epoch, terms)

    with monkeypatch.context() as patch:
        patch.setattr(deep, "CHECKPOINT_S", 0)
        patch.setattr(deep, "check_finite", killed)
        with pytest.raises(KeyboardInterrupt):
            train(checkpoint)
        patch.setattr(deep, "check_finite", lambda model, epoch, terms: ran.append(epoch))
        resumed = train(checkpoint)
    assert resumed.history_ == whole.history_
    assert set(resumed.arrays_) == set(whole.arrays_)
    for key, array in whole.arrays_.items():
        np.testing.assert_array_equal(resumed.arrays_[key], array)
    assert not checkpoint.exists()
    return ran
