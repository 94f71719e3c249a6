"""Few data: components that they cannot have are lowered, or left out of a sweep, and the result says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unisono import evaluation
from unisono.config.compute import Compute
from unisono.datasets.loading import Dataset
from unisono.errors import ConfigError
from unisono.evaluation.adapting import adapt
from unisono.evaluation.planning import Setting

#: 20 rows in 5 folds: 16 for training, 15 components.
N = 20


@pytest.fixture
def data() -> Dataset:
    draw = np.random.default_rng(0)
    views = {"audio": draw.normal(size=(N, 12)), "visual": draw.normal(size=(N, 40))}
    labels, folds = np.arange(N) % 2, np.arange(N) % 5
    facts = {"audio": {"components": 12, "adapted": "whitening.components: 12 in place of 128"}, "visual": {}}
    return Dataset("vegas", "mine", np.arange(N).astype(str), views, labels=labels, folds=folds, metadata=facts)


def settings(data: Dataset, *components: int, **params: Any) -> list[Setting]:
    labels = [f"components={n}" for n in components] if len(components) > 1 else [""]
    return [Setting(label, data, {"n_components": n} | params) for label, n in zip(labels, components, strict=True)]


@pytest.mark.parametrize(
    ("model", "most"), [("cca", 12), ("c_cca", 12), ("gcca", 12), ("tnn_c_cca", 12), ("kcca", 15), ("dcca", 15)]
)
def test_components_are_lowered_to_what_the_data_allow(data: Dataset, model: str, most: int) -> None:
    kept = settings(data, most)
    assert adapt(kept, model, seeds=[0]) == kept
    [found] = adapt(settings(data, 20), model, seeds=[0])
    assert found.params["n_components"] == most
    assert found.notes == (
        f"n_components: {most} in place of 20, the most that training rows and features allow",
    )  # fmt: skip


@pytest.mark.parametrize("model", ["random", "ugach"])
def test_methods_that_any_number_suits_keep_theirs(data: Dataset, model: str) -> None:
    kept = settings(data, 128)
    assert adapt(kept, model, seeds=[0]) == kept


def test_points_of_a_sweep_are_left_out(data: Dataset) -> None:
    found = adapt(settings(data, 5, 10, 20, 30), "cca", seeds=[0])
    assert [setting.params["n_components"] for setting in found] == [5, 10]
    assert found[0].notes == ("components=20, components=30 left out, since these data allow 12 components",)
    [last] = adapt(settings(data, 20, 30), "cca", seeds=[0])
    assert (last.label, last.params["n_components"]) == ("components=20", 12)
    assert len(last.notes) == 2


def test_more_components_than_a_view_is_wide_stay_an_error(data: Dataset) -> None:
    kept = settings(data, 41)
    assert adapt(kept, "cca", seeds=[0]) == kept
    with pytest.raises(ConfigError, match="41 is more than these data have"):
        evaluation.run_settings(kept, "cca", compute=Compute(executor="serial"))
    kept = settings(replace(data, metadata={}), 13)
    assert adapt(kept, "cca", seeds=[0]) == kept


def test_the_result_says_what_was_adapted(data: Dataset) -> None:
    adapted = adapt(settings(data, 20, ridge=1.0), "cca", seeds=[0])
    result = evaluation.run_settings(adapted, "cca", compute=Compute(executor="serial"))
    assert result.metrics["params"]["n_components"] == 12
    assert result.metrics["notes"][:2] == ["whitening.components: 12 in place of 128", *adapted[0].notes]
