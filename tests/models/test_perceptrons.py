"""What supcon, dscmr and clip share: batches, decay, divergence, resuming, names of views, grids."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.small import resume_after_kill, two_views
from unisono import metrics, models
from unisono.config import section
from unisono.errors import ConfigError, DataError, TrainingError
from unisono.models.parts import deep, perceptrons

SMALL: dict[str, Any] = {"layers": {"other": [16, 4]}, "epochs": 3, "min_steps": 0, "batch_size": 20, "dropout": 0.2}
PARAMS = Path(__file__).parents[2] / "params.yaml"

every = pytest.mark.parametrize("name", ["supcon", "dscmr", "clip"])


def fit(name: str, views: Any, labels: Any = None, **params: Any) -> models.Aligner:
    model = models.create(name, **SMALL | params)
    model.progress = False
    return model.fit(views, labels)


@every
def test_trains_the_same_way_twice(name: str) -> None:
    views, labels = two_views(noise=0.6)
    one, two = (fit(name, views, labels) for _ in range(2))
    assert one.history_ == two.history_
    for key, array in one.arrays_.items():
        np.testing.assert_array_equal(two.arrays_[key], array)
    assert fit(name, views, labels, seed=5).history_ != one.history_


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("supcon", {}),
        ("supcon", {"loss": "contrastive"}),
        ("dscmr", {}),
        ("clip", {}),
        ("clip", {"init": "scratch", "validation": 0.2}),
    ],
)
def test_interrupted_training_resumes_to_the_same_result(
    name: str, params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, labels = two_views(noise=0.6)
    longer = SMALL | {"epochs": 6} | params
    ran = resume_after_kill(
        lambda checkpoint: models.create(name, **longer).fit(views, labels, checkpoint=checkpoint),
        tmp_path / "kept",
        monkeypatch,
    )
    # The weights after the last step are checked too.
    assert ran == [4, 5, 5]


@every
def test_divergence_stops_with_the_remedy(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(TrainingError, match=rf"{name}: training diverged in epoch 1.*models\.{name}\.learning_rate"):
        fit(name, views, labels, learning_rate=1e38)
    # In the last step, after which no loss is computed.
    with pytest.raises(TrainingError, match=rf"{name}: training diverged in epoch 1, weights is (inf|nan)"):
        fit(name, views, labels, epochs=1, batch_size=100, learning_rate=1e38)


@every
def test_batches_are_about_as_large_and_few_rows_get_more_epochs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    views, labels = two_views(noise=0.6)
    # 100 rows in batches of 30 at most: four of 25.
    for min_steps, epochs in ((0, 3), (12, 3), (13, 4)):
        assert len(fit(name, views, labels, batch_size=30, min_steps=min_steps).history_) == epochs
    sizes: list[int] = []
    cls: Any = models.method(name)
    terms = cls._terms

    def counted(self: Any, embedded: Any, codes: Any, heads: Any) -> Any:
        sizes.append(len(codes))
        assert {len(each) for each in embedded} == {len(codes)}
        return terms(self, embedded, codes, heads)

    monkeypatch.setattr(cls, "_terms", counted)
    fit(name, views, labels, batch_size=30, epochs=1)
    assert sizes == [25, 25, 25, 25]


@every
def test_names_of_views_may_be_none_that_a_module_takes(name: str, tmp_path: Path) -> None:
    views, labels = two_views(noise=0.6)
    odd = dict(zip(("mfcc", "mfcc.1"), views.values(), strict=True))
    model = fit(name, odd, labels)
    model.save(tmp_path)
    plain, loaded = fit(name, views, labels), models.load(tmp_path)
    for one, other in zip(odd, views, strict=True):
        expected = plain.transform(views)[other]
        np.testing.assert_array_equal(model.transform(odd)[one], expected)
        np.testing.assert_array_equal(loaded.transform({one: odd[one]})[one], expected)


@every
def test_layers_that_do_not_fit_raise(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(ConfigError, match=rf"models\.{name}\.layers: the last widths differ \(audio 3, visual 4\)"):
        fit(name, views, labels, layers={"audio": [5, 3], "other": [5, 4]})
    with pytest.raises(ConfigError, match=rf"models\.{name}\.layers: no widths for view 'visual'"):
        fit(name, views, labels, layers={"audio": [5, 3]})


@pytest.mark.parametrize("name", ["supcon", "dscmr"])
def test_labels_of_two_classes_are_needed(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(DataError, match=f"{name}: learns from labels, and there are none"):
        fit(name, views)
    with pytest.raises(DataError, match=f"{name}: all labels are 'x'; at least two classes are needed"):
        fit(name, views, np.full(len(labels), "x"))


@pytest.mark.parametrize(("name", "params"), [("supcon", {}), ("supcon", {"loss": "contrastive"}), ("dscmr", {})])
def test_classes_of_one_item_are_learned_from_their_two_views(name: str, params: dict[str, Any]) -> None:
    views, _ = two_views(12, noise=0.0)
    model = fit(name, views, np.arange(12), epochs=200, learning_rate=0.01, dropout=0.0, weight_decay=0.0, **params)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    for embedded in model.transform(views).values():
        assert np.isfinite(embedded).all()


def test_only_matrices_of_dense_layers_decay() -> None:
    networks = torch.nn.ModuleDict({"a": deep.perceptron(3, [4, 2]), "b": torch.nn.LayerNorm(4)})
    decaying, others = perceptrons._groups(networks, 0.5)
    assert [tuple(each.shape) for each in decaying["params"]] == [(4, 3), (2, 4)]
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    assert len(others["params"]) == 4


@every
def test_weight_decay_makes_weights_small(name: str) -> None:
    views, labels = two_views(noise=0.6)

    def size(weight_decay: float) -> float:
        arrays = fit(name, views, labels, weight_decay=weight_decay, epochs=40).arrays_
        return float(np.mean([np.abs(a).mean() for key, a in arrays.items() if a.ndim == 2]))

    assert size(30.0) < 0.7 * size(0.0)


def tuned() -> list[str]:
    """The methods whose networks are trained on rows, and so can be tuned by rows held out."""
    classes = {name: models.method(name) for name in models.available()}
    return [name for name, cls in classes.items() if cls.trains_networks and not cls.relational]


@pytest.mark.parametrize("name", [*tuned(), "multi_view"])
def test_every_network_states_a_grid_of_at_most_six_legal_candidates(name: str) -> None:
    grid: Any = getattr(models.method(name), "grid")  # noqa: B009
    assert "grid" not in models.check_params(name, {})
    candidates = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    assert 2 <= len(candidates) <= 6
    for candidate in candidates:
        models.check_params(name, candidate)
    # What is not tuned is one of them.
    defaults = models.check_params(name, {}) | section("models", PARAMS).get(name, {})
    for key, values in grid.items():
        assert key == "layers" or defaults[key] in values, key


@every
def test_finds_what_unseen_items_share(name: str) -> None:
    views, labels = two_views(n=200, noise=0.6)
    test, truth = two_views(seed=1, noise=0.6)
    found = fit(name, views, labels, min_steps=300, learning_rate=0.003).transform(test)
    chance = metrics.chance_map(truth, truth)
    for query, target in itertools.permutations(found):
        assert metrics.mean_average_precision(found[query], found[target], truth, truth) > chance + 0.4
