"""Small settings for methods whose defaults need more data, or more time, than a test has."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "baseline": {"layers": {"other": [16, 6]}, "epochs": 2},
    "baseline_gan": {"layers": {"other": [16, 6]}, "epochs": 2, "n_candidates": 64},
    "darlearning": {"layers": {"other": [16, 6]}, "epochs": 2, "n_candidates": 64},
    "agah": {"n_components": 6, "layers": {"other": [16]}, "features": 12, "epochs": 2, "min_steps": 0},
    "acmr": {"layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "cca": {"n_components": 3},
    "c_cca": {"n_components": 2},
    "c_kcca": {"n_components": 2},
    "gcca": {"n_components": 3},
    "kcca": {"n_components": 3},
    "multi_view": {"n_components": 3},
    "c_dcca": {"n_components": 3, "layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0, "batch": 45},
    "dcca": {"n_components": 3, "layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0, "batch": 45},
    "lstm_c_cca": {"n_components": 3, "layers": {"other": [6, 5, 4]}, "outputs": 6, "epochs": 2, "batch": 45},
    "s_dcca": {"n_components": 3, "layers": {"other": [16, 6]}, "epochs": 2, "min_steps": 0, "batch": 45},
    "tnn": {"layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "tnn_c_cca": {"n_components": 2, "layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "ucal": {"layers": {"other": [8, 4]}, "epochs": 2, "min_steps": 0},
    "ugach": {"n_components": 6, "hidden": 16, "epochs": 2, "pretraining_epochs": 1, "min_steps": 0},
}

#: What a method needs on top of these, and of ten epochs at a learning rate of .01, to learn clearly within seconds
#: (test_chance.py).
LEARNING: dict[str, dict[str, Any]] = {
    "agah": {"layers": {"other": [64]}, "features": 64, "dropout": 0.2, "epochs": 20},
    # In data with few shared directions only own pairs are a guide, and weight decay makes all outputs equal.
    "ugach": {
        "hidden": 32,
        "neighbours": 2,
        "weight_decay": 0.0,
        "generator_weight_decay": 0.0,
        "pretraining_epochs": 10,
    },
}
