"""How far two methods on items with classes are apart: the difference of their MAP, and its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.report.fabricated import Fabricated
from unisono import metrics
from unisono.config.experiments import Experiment
from unisono.errors import DataError
from unisono.io import parquet
from unisono.report import leaderboard, paired

N_CLASSES, N_FOLDS, N = 4, 3, 40


def embed(folder: Path, noise: float, *, deals: int = 1, seed: int = 0) -> None:
    """Write embeddings near the items' classes, more or less."""
    draw = np.random.default_rng(seed)
    columns: dict[str, Any] = {"id": [], "label": [], "fold": [], "audio": [], "visual": []}
    for fold in range(N_FOLDS * deals):
        labels = np.arange(N) % N_CLASSES
        # In any order: what belongs together is said by the ids.
        order = draw.permutation(N)
        base = np.eye(N_CLASSES)[labels]
        columns["id"] += [f"{fold % N_FOLDS}-{item:03d}" for item in order]
        columns["label"] += [f"c{label}" for label in labels[order]]
        columns["fold"] += [fold] * N
        for view in ("audio", "visual"):
            columns[view] += list((base + noise * draw.normal(size=base.shape))[order].astype(np.float32))
    types = {"id": pa.string(), "label": pa.string(), "fold": pa.int64()}
    types |= {view: parquet.vector(N_CLASSES) for view in ("audio", "visual")}
    parquet.write(folder / "embeddings.parquet", columns, types=types, metadata={})


def means(folder: Path) -> np.ndarray:
    """MAP of every fold, mean of both directions, straight from the definition."""
    table = parquet.read(folder / "embeddings.parquet")
    folds = np.array(table["fold"].to_pylist())
    found = []
    for fold in np.unique(folds):
        own = folds == fold
        audio, visual = (np.array(table[view].to_pylist())[own] for view in ("audio", "visual"))
        labels = np.array(table["label"].to_pylist())[own]
        ways = ((audio, visual), (visual, audio))
        found.append(np.mean([metrics.mean_average_precision(*way, labels, labels) for way in ways]))
    return np.array(found)


def add(results: Fabricated, key: str, noise: float, *, deals: int = 1, seed: int = 0, title: str = "C-CCA") -> None:
    """Add a run with embeddings, and the measures that these have."""
    made = results.folder / f"{key}-made"
    made.mkdir(parents=True)
    embed(made, noise, deals=deals, seed=seed)
    entry = Experiment(dataset="vegas", model="c_cca", deals=deals)
    results.add(key, entry, {"": means(made)}, title=title)
    (made / "embeddings.parquet").rename(results.folder / key / "embeddings.parquet")


def test_the_difference_is_that_of_the_means(fabricated: Fabricated) -> None:
    add(fabricated, "good", 0.4)
    add(fabricated, "bad", 1.2, seed=1)
    good, bad = fabricated.runs()
    found = paired.difference(good, bad)
    assert found.mean == pytest.approx(float((means(good.folder) - means(bad.folder)).mean()))
    assert found.low < found.mean < found.high
    assert found.low > 0
    back = paired.difference(bad, good)
    assert back == pytest.approx((-found.mean, -found.high, -found.low))
    assert paired.difference(good, good) == pytest.approx((0, 0, 0))


def test_folds_that_disagree_widen_the_interval(fabricated: Fabricated) -> None:
    add(fabricated, "good", 0.4)
    add(fabricated, "bad", 1.2, seed=1)
    good, bad = fabricated.runs()
    apart = means(good.folder) - means(bad.folder)
    half = 4.302653 * apart.std(ddof=1) / np.sqrt(N_FOLDS)
    found = paired.difference(good, bad)
    assert found.low <= apart.mean() - half + 1e-6
    assert found.high >= apart.mean() + half - 1e-6


def test_deals_are_averaged_and_those_in_common_count(fabricated: Fabricated) -> None:
    add(fabricated, "three", 0.4, deals=3)
    add(fabricated, "others", 1.2, deals=3, seed=1)
    add(fabricated, "own", 1.2, seed=1)
    three, others, own = fabricated.runs()
    apart = means(three.folder) - means(others.folder)
    assert paired.difference(three, others).mean == pytest.approx(float(apart.mean()))
    # The folds of one deal alone are those of the first.
    first = paired.difference(three, own).mean
    assert first == pytest.approx(float((means(three.folder)[:N_FOLDS] - means(own.folder)).mean()))


def test_other_items_and_damaged_embeddings_are_said(fabricated: Fabricated) -> None:
    for key in ("a", "b", "c"):
        add(fabricated, key, 0.4)
    table = parquet.read(fabricated.folder / "b" / "embeddings.parquet")
    types = {name: table.schema.field(name).type for name in table.column_names}
    columns = {name: table[name].to_pylist() for name in table.column_names}
    path = fabricated.folder / "b" / "embeddings.parquet"
    parquet.write(path, columns | {"id": [f"x{item}" for item in columns["id"]]}, types=types, metadata={})
    path = fabricated.folder / "c" / "embeddings.parquet"
    del columns["label"], types["label"]
    parquet.write(path, columns, types=types, metadata={})
    a, b, c = fabricated.runs()
    with pytest.raises(DataError, match="other items; run both again"):
        paired.difference(a, b)
    with pytest.raises(DataError, match="no column 'label'"):
        paired.difference(a, c)


def test_a_leaderboard_ranks_by_the_mean_of_both_directions(fabricated: Fabricated, tmp_path: Path) -> None:
    add(fabricated, "bad", 1.2, seed=1, title="A | pipe")
    add(fabricated, "good", 0.4, title="Good")
    times = tmp_path / "timing"
    times.mkdir()
    (times / "good.json").write_text('{"fit_s": 8.2}')
    (times / "bad.json").write_text("broken")
    runs = fabricated.runs()
    found = leaderboard.rows(runs, times)
    assert [(row["rank"], row["run"], row["direction"]) for row in found] == [
        (rank, run, direction)
        for rank, run in ((1, "good"), (2, "bad"))
        for direction in ("audio->visual", "visual->audio", "mean")
    ]
    best, second = (row for row in found if row["direction"] == "mean")
    assert best["map"] == pytest.approx(means(fabricated.folder / "good").mean())
    assert "to_best" not in best
    assert second["to_best"] == pytest.approx(second["map"] - best["map"])
    assert second["low"] < second["to_best"] < second["high"] < 0
    assert (best["fit_seconds"], second["fit_seconds"]) == ("1 to 10", "")
    assert best["needs"] == "labels"
    leaderboard.write(runs, {"beyond_class": ["good", "bad"]}, times, tmp_path)
    text = (tmp_path / "beyond_class.md").read_text(encoding="utf-8")
    assert "**Good**" in text
    assert "A \\| pipe" in text
    assert (tmp_path / "beyond_class.csv").read_text().startswith(",".join(leaderboard.COLUMNS))
