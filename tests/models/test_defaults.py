"""What methods do of their own: columns of unequal scale, ridges that are chosen, widths, labels, limits."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.small import SMALL, two_views
from unisono import metrics, models
from unisono.errors import ConfigError, DataError
from unisono.models.base import Aligner
from unisono.models.parts import columns, kernel

CLOSED = ["cca", "c_cca", "kcca", "c_kcca", "gcca"]
THREE_VIEWS = {"baseline", "baseline_gan", "darlearning"}
#: Methods that need frames.
FRAMES = {"joint_dcca"}


def unequal(n: int = 120, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Views of four classes, and the same with a column of noise x 300 in each."""
    views, labels = two_views(n, seed, noise=0.8)
    generator = np.random.default_rng(seed)
    views = {view: np.column_stack([a / a.std(), generator.standard_normal(n)]) for view, a in views.items()}
    times = {view: a * np.append(np.ones(a.shape[1] - 1), 300.0) for view, a in views.items()}
    return views, times, labels


def held_out_map(name: str, views: dict[str, np.ndarray], labels: np.ndarray, **params: Any) -> float:
    model = models.create(name, **params)
    model.progress = False
    model.fit({view: a[:80] for view, a in views.items()}, labels[:80])
    pair = model.transform({view: a[80:] for view, a in views.items()}).values()
    return metrics.mean_average_precision(*pair, labels[80:], labels[80:])


@pytest.mark.parametrize("name", [*CLOSED, "multi_view"])
def test_the_scale_of_a_column_counts_only_where_columns_are_taken_as_they_are(name: str) -> None:
    views, times, labels = unequal()
    params = {"n_components": 3, "standardise": "columns"}
    found = held_out_map(name, views, labels, **params)
    assert found > metrics.chance_map(labels[80:], labels[80:]) + 0.1
    assert held_out_map(name, times, labels, **params) == pytest.approx(found, abs=0.005)
    if models.method(name).standardises:
        assert held_out_map(name, times, labels, n_components=3) == pytest.approx(found, abs=0.005)


@pytest.mark.parametrize(
    "name", sorted({name for name in models.available() if models.method(name).standardises} - THREE_VIEWS - FRAMES)
)
def test_a_method_that_says_it_standardises_does(name: str) -> None:
    views, times, labels = unequal()
    # Powers of two round nothing.
    times = {view: a * np.append(np.ones(a.shape[1] - 1), 256.0) for view, a in views.items()}
    assert held_out_map(name, times, labels, **SMALL[name]) == pytest.approx(
        held_out_map(name, views, labels, **SMALL[name]), abs=0.005
    )


def test_columns_of_very_unequal_variance_are_said_where_nobody_standardises() -> None:
    _, times, labels = unequal()
    with pytest.warns(UserWarning, match=r"c_cca: variances of the columns of view 'audio' differ by a factor of .*"):
        models.create("c_cca", n_components=2).fit(times, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.create("c_cca", n_components=2, standardise="columns").fit(times, labels)
        models.create("multi_view", n_components=2).fit(times)
        models.create("random").fit(times)
    assert columns.inequality(np.array([[1.0, 0.0, 7.0], [3.0, 200.0, 7.0]])) == pytest.approx(1e4)


def test_standardised_columns_are_those_of_the_training_rows_and_are_saved(tmp_path: Path) -> None:
    _, times, labels = unequal()
    train, test = ({view: a[part] for view, a in times.items()} for part in (slice(0, 80), slice(80, None)))
    model = models.create("c_cca", n_components=2, standardise="columns").fit(train, labels[:80])
    by_hand = {
        view: [(part[view] - train[view].mean(axis=0)) / train[view].std(axis=0) for part in (train, test)]
        for view in train
    }
    plain = models.create("c_cca", n_components=2).fit({v: a for v, (a, _) in by_hand.items()}, labels[:80])
    expected = plain.transform({view: a for view, (_, a) in by_hand.items()})
    model.save(tmp_path)
    for fitted in (model, models.load(tmp_path)):
        for view, found in fitted.transform(test).items():
            np.testing.assert_allclose(found, expected[view], rtol=1e-4, atol=1e-5)


def test_frames_are_standardised_without_padding() -> None:
    class Seen(Aligner):
        """Takes sequences as they are."""

        sequential = True

        def _fit(self, views: Any, labels: Any, lengths: Any, checkpoint: Any) -> None:
            self.seen = views

        def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
            return array.mean(axis=1)

    frames = np.array([[[1.0], [3.0]], [[5.0], [99.0]]])
    model = Seen(standardise="columns")
    model.fit({"a": frames, "b": frames}, lengths={"a": np.array([2, 1])})
    assert model.arrays_["columns/a/mean"] == pytest.approx(3)
    assert model.seen["a"][1, 0] == pytest.approx(2 / np.std([1, 3, 5]))


@pytest.mark.parametrize("name", ["cca", "c_cca", "gcca"])
def test_a_ridge_is_chosen_by_what_ranks_held_out_rows(name: str) -> None:
    views, _, labels = unequal()
    # Columns of noise, as many as rows: without a ridge nothing but noise correlates.
    generator = np.random.default_rng(5)
    wide = {view: np.hstack([a, generator.standard_normal((len(a), 60))]) for view, a in views.items()}
    model = models.create(name, n_components=3).fit(wide, labels)
    (chosen,) = model.arrays_["ridge"]
    scores = {r: held_out_map(name, wide, labels, n_components=3, ridge=r) for r in (chosen, 1e-5)}
    assert scores[chosen] > scores[1e-5]
    given = models.create(name, n_components=3, ridge=0.3).fit(wide, labels)
    assert given.arrays_["ridge"].tolist() == [0.3]


@pytest.mark.parametrize("name", ["kcca", "c_kcca"])
def test_width_and_ridge_of_a_kernel_are_chosen_together(name: str) -> None:
    views, _, labels = unequal()
    # Rings: a kernel as wide as the median distance is nearly linear and does not tell them apart.
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, len(labels))
    views = {
        view: np.column_stack([(1 + labels) * np.cos(k * angle), (1 + labels) * np.sin(k * angle)])
        for k, view in enumerate(views, start=1)
    }
    model = models.create(name, n_components=3).fit(views, labels)
    fixed = models.create(name, n_components=3, width="median", ridge=0.03).fit(views, labels)
    factors = {round(float(model.arrays_[f"{v}.width"][0] / fixed.arrays_[f"{v}.width"][0]), 6) for v in views}
    assert factors < set(kernel.WIDTHS)
    assert model.ridge_ in model.ridges
    if model.supervised:
        found = held_out_map(name, views, labels, n_components=3)
        assert found > held_out_map(name, views, labels, n_components=3, width="median", ridge=0.03)


def test_few_rows_and_wide_views_have_a_ridge_all_the_same() -> None:
    generator = np.random.default_rng(0)
    few = {view: generator.standard_normal((5, 8)) for view in ("audio", "visual")}
    assert models.create("cca", n_components=2).fit(few).arrays_["ridge"].tolist() == [1.0]
    shared = generator.standard_normal((40, 3))
    wide = {v: shared @ generator.standard_normal((3, 300)) + generator.standard_normal((40, 300)) for v in few}
    assert np.isfinite(models.create("cca", n_components=3).fit(wide).transform(wide)["audio"]).all()


def test_weights_of_axes_are_their_correlations() -> None:
    views, _, labels = unequal()
    for name in ("cca", "c_cca", "kcca", "c_kcca"):
        params = {"n_components": 3, "ridge": 0.1} | ({"width": "median"} if "k" in name else {})
        plain = models.create(name, scale="none", **params).fit(views, labels)
        for view, found in models.create(name, **params).fit(views, labels).transform(views).items():
            np.testing.assert_allclose(found, plain.transform(views)[view] * plain.correlations_, rtol=1e-4, atol=1e-5)


def test_the_width_of_a_network_does_not_depend_on_a_columns_name() -> None:
    for name in models.available():
        layers = models.check_params(name, {}).get("layers")
        assert layers is None or set(layers) == {"other"}, name


def test_labels_that_are_missing_are_refused() -> None:
    views, labels = two_views(40)
    for missing, expected in ((np.nan, "nan"), (None, "None")):
        broken = labels.astype(object)
        broken[7] = missing
        with pytest.raises(DataError, match=f"c_cca: labels, row 7: {expected}, expected a class"):
            models.create("c_cca", n_components=2).fit(views, broken)
        with pytest.raises(DataError, match=f"query_labels, row 7: {expected}"):
            metrics.mean_average_precision(views["audio"], views["audio"], broken, broken)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("dcca", "at most 10 .* the last of models.dcca.layers"),
        ("lstm_c_cca", "widen models.lstm_c_cca.outputs"),
    ],
)
def test_more_components_than_outputs_name_the_outputs(name: str, limit: str) -> None:
    views, labels = two_views(200)
    with pytest.raises(ConfigError, match=rf"n_components: 90 is more than .*{limit}"):
        models.create(name, n_components=90).fit(views, labels)
