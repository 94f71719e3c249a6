"""Several methods on the same queries."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from unisono import metrics
from unisono.datasets.loading import Dataset
from unisono.errors import DataError
from unisono.evaluation import comparison, significance


def made_up(n: int = 40, *, labels: bool = True) -> Dataset:
    """Two related views of unequal width, two classes."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n, 3))
    views = {
        name: (latent @ generator.standard_normal((3, width)) + 0.3 * generator.standard_normal((n, width))).astype(
            "f4"
        )
        for name, width in (("audio", 5), ("visual", 7))
    }
    classes = np.array(["cat", "dog"] * (n // 2)) if labels else None
    return Dataset("made up", "made up", np.array([f"i{i}" for i in range(n)]), views, labels=classes)


def independent(values: np.ndarray) -> significance.Scores:
    """Scores of queries that share nothing."""
    return significance.Scores(values, np.zeros((1, min(len(values), 100), min(len(values), 100))))


def test_a_constant_gap_is_real_and_noise_is_not() -> None:
    generator = np.random.default_rng(1)
    base = generator.random(200)
    noise = generator.normal(0, 0.2, 200)
    scores = {"a": base + 0.1, "b": base, "c": base + 0.1 + noise - noise.mean() - 1e-9}
    found = comparison.compare(
        {name: {"x->y": independent(values)} for name, values in scores.items()},
        np.full(200, base.mean()),
        np.zeros(200, dtype=np.int64),
    )
    assert list(found) == ["x->y"]
    one = found["x->y"]
    assert one["a"].to_best is None
    assert one["b"].to_best == pytest.approx((-0.1, -0.1, -0.1))
    assert one["b"].to_best.real
    assert one["c"].to_best.mean == pytest.approx(0, abs=1e-8)
    assert not one["c"].to_best.real
    assert one["a"].over_chance.real
    assert not one["b"].over_chance.real


def test_the_mean_over_directions_is_that_of_each_query() -> None:
    scores = {"one": {"x->y": independent(np.array([1.0, 0.0])), "y->x": independent(np.array([0.0, 1.0]))}}
    found = comparison.compare(scores, np.zeros(2), np.zeros(2, dtype=np.int64))
    assert list(found) == ["x->y", "y->x", comparison.MEAN]
    # Every query scores one half: no other query can change that.
    assert found[comparison.MEAN]["one"].over_chance == (0.5, 0.5, 0.5)


def test_the_mark_says_nothing_of_more_or_less() -> None:
    generator = np.random.default_rng(0)
    worse = independent(0.1 + 0.01 * generator.random(50))
    scores = comparison.compare({"bad": {"x->y": worse}}, np.full(50, 0.3), np.zeros(50, dtype=np.int64))
    text = comparison.to_text(comparison.Comparison("made up", "map", 50, 1, ["bad"], scores))
    assert "-0.19" in text
    assert "] *" in text
    assert "larger" not in text


def test_chance_is_that_of_the_metrics_fold_by_fold() -> None:
    labels = np.array(list("aaabbbccaabb"))
    folds = np.array([0] * 8 + [1] * 4)
    found = comparison.chance_scores(labels, folds)
    for fold in (0, 1):
        rows = folds == fold
        assert found[rows].mean() == pytest.approx(metrics.chance_map(labels[rows], labels[rows]))
    alone = comparison.chance_scores(np.arange(5), np.zeros(5, dtype=int))
    assert alone == pytest.approx(np.mean(1 / np.arange(1, 6)))


def test_queries_are_scored_within_their_fold_and_pair() -> None:
    generator = np.random.default_rng(3)
    columns = {
        "id": np.array(list("abcdef")),
        "fold": np.array([0, 0, 0, 1, 1, 1]),
        **{name: generator.standard_normal((6, 4)) for name in ("x@x-y", "y@x-y", "x@x-z", "z@x-z", "y@y-z", "z@y-z")},
    }
    found = comparison.query_scores(columns, ["x", "y", "z"])
    assert set(found) == {"x->y", "x->z", "y->x", "y->z", "z->x", "z->y"}
    for rows in (slice(0, 3), slice(3, 6)):
        ranks = metrics.ranks(columns["z@y-z"][rows], columns["y@y-z"][rows])
        np.testing.assert_allclose(found["z->y"].values[rows], 1 / ranks)


def test_methods_run_on_the_same_folds_and_those_that_cannot_say_why(tmp_path: Path) -> None:
    params = {"cca": {"n_components": 2}, "identity": {}, "random": {"n_components": 4}}
    found = comparison.run(made_up(), params, n_folds=4, out=tmp_path)
    assert found.methods == ["cca", "random"]
    assert (found.measure, found.n_queries, found.n_folds) == ("map", 40, 4)
    assert found.skipped["identity"].startswith("views of unequal width")
    assert found.scores[comparison.MEAN]["cca"].over_chance.real
    comparison.write(found, tmp_path)
    with (tmp_path / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["direction"], row["method"]) for row in rows] == [
        (direction, method) for direction in ("audio->visual", "visual->audio", "mean") for method in ("cca", "random")
    ]
    assert rows[0]["to_best"] == ""
    assert "identity" in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cca", "comparison.csv", "comparison.md", "random"]
    printed = comparison.to_text(found)
    assert "2 methods on made up: mean average precision of 40 queries, 4 folds" in printed
    assert "not run: identity: " in printed
    # The same again: no number depends on the run.
    assert comparison.run(made_up(), params, n_folds=4, out=tmp_path).scores == found.scores


def test_without_labels_it_is_the_reciprocal_rank_and_supervised_methods_are_left_out(tmp_path: Path) -> None:
    found = comparison.run(made_up(labels=False), {"cca": {"n_components": 2}, "c_cca": {}}, n_folds=4, out=tmp_path)
    assert found.measure == "mrr"
    assert found.skipped == {"c_cca": "learns from labels, and there are none"}


def test_when_no_method_can_run_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 2 methods can run: c_cca: learns from labels"):
        comparison.run(made_up(labels=False), {"c_cca": {}, "identity": {}}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
