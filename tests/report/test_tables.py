"""Result tables and descriptions of data sets."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unisono import experiments
from unisono.config.experiments import Experiment
from unisono.datasets.loading import load_folder
from unisono.errors import DataError
from unisono.report import data_tables, tables

Build = Callable[..., Path]


def entry(model: str, **changes: Any) -> Experiment:
    """Return an experiment of table 6.2."""
    return Experiment(**{"dataset": "mtm", "model": model, "title": model.upper(), "table": "6.2", **changes})


@pytest.fixture
def entries(make_mtm: Build, tmp_path: Path) -> dict[str, Experiment]:
    """Three experiments, and their results in ``tmp_path/experiments``."""
    found = {
        "mtm_random": entry("random", title="Random", seeds=2),
        "mtm_gcca": entry("gcca"),
        "mtm_gcca_plain": entry("gcca", views={"sheet": "sheet_plain"}, table=""),
    }
    folder = make_mtm()
    for key, experiment in found.items():
        data = load_folder(folder, views=experiments.feature_sets("mtm", experiment.views))
        params = {} if experiment.model == "random" else {"n_components": 6}
        result = experiments.run(data, experiment.model, params, n_seeds=experiment.seeds)
        experiments.write(result, tmp_path / "experiments" / key)
    return found


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_published_numbers_are_those_of_the_dissertation() -> None:
    rows = tables.published()
    assert len(rows) == 307
    assert set(rows[0]) <= set(tables.COLUMNS)
    mine = {metric for metric, _ in tables.MEASURES.values()}
    assert {row["metric"] for row in rows if row["table"] in ("6.2", "6.3")} <= mine


def test_rows_have_published_numbers_beside_ours(entries: dict[str, Experiment], tmp_path: Path) -> None:
    tables.write_tables(entries, tmp_path / "experiments", tmp_path / "tables", tmp_path / "metrics.json")
    rows = read(tmp_path / "tables" / "table_6_2.csv")
    assert list(rows[0]) == list(tables.COLUMNS)
    assert len(rows) == 2 * 6 * 5
    row = next(
        row
        for row in rows
        if (row["method"], row["query"], row["target"], row["metric"]) == ("Random", "audio", "sheet", "recall@1")
    )
    content = json.loads((tmp_path / "experiments" / "mtm_random" / "metrics.json").read_text())
    assert float(row["value"]) == pytest.approx(content["audio->sheet"]["recall_at_1"], rel=1e-5)
    assert float(row["std"]) == pytest.approx(content["audio->sheet"]["recall_at_1_std"], rel=1e-5)
    assert (row["published"], row["source"], row["n_items"], row["pool"]) == ("0.0284", "fabricated", "120", "18")
    assert float(row["chance"]) == pytest.approx(1 / 18, rel=1e-5)
    assert {row["published"] for row in rows if row["method"] == "GCCA"} == {""}


def test_markdown_has_a_block_of_methods_per_direction(entries: dict[str, Experiment], tmp_path: Path) -> None:
    tables.write_tables(entries, tmp_path / "experiments", tmp_path / "tables", tmp_path / "metrics.json")
    text = (tmp_path / "tables" / "table_6_2.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert {len(line) for line in lines} == {7}
    assert lines[0] == ["Direction", "Method", "R@1", "R@5", "R@10", "MedR", "MeanR"]
    assert [line[0].strip("*") for line in lines[2:] if line[0]] == [
        "audio → lyrics",
        "lyrics → audio",
        "sheet → lyrics",
        "lyrics → sheet",
        "audio → sheet",
        "sheet → audio",
    ]
    block = lines[2 + 4 * 5 : 2 + 5 * 5]
    assert [line[1].strip("*") for line in block] == [
        "Random",
        "GCCA",
        "chance in a pool of 18",
        "D: DARLearning",
        "D: Random",
    ]
    assert block[3][2:] == ["30.06", "33.98", "35.02", "352.4", "600.3"]
    assert block[2][2] == f"{100 / 18:.2f}"
    assert "source **fabricated**, 120 items, 84 of them for training, pool 18" in text
    assert "audio untrained" in text
    assert "exchanged between the published tables" in text


def test_headlines_are_plain_rounded_numbers(entries: dict[str, Experiment], tmp_path: Path) -> None:
    tables.write_tables(entries, tmp_path / "experiments", tmp_path / "tables", tmp_path / "metrics.json")
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert list(content) == list(entries)
    assert set(content["mtm_gcca"]["audio->sheet"]) == {"recall_at_1", "recall_at_10", "median_rank"}
    for scores in content.values():
        for values in scores.values():
            assert all(isinstance(value, float) and value == round(value, 4) for value in values.values())


def test_an_experiment_that_is_gone_from_params_leaves_nothing(entries: dict[str, Experiment], tmp_path: Path) -> None:
    remaining = {key: value for key, value in entries.items() if key != "mtm_random"}
    tables.write_tables(remaining, tmp_path / "experiments", tmp_path / "tables", tmp_path / "metrics.json")
    assert {row["method"] for row in read(tmp_path / "tables" / "table_6_2.csv")} == {"GCCA"}
    assert "mtm_random" not in (tmp_path / "tables" / "table_6_2.md").read_text()
    assert list(json.loads((tmp_path / "metrics.json").read_text())) == list(remaining)


def test_missing_or_damaged_results_raise(entries: dict[str, Experiment], tmp_path: Path) -> None:
    path = tmp_path / "experiments" / "mtm_gcca" / "metrics.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"mtm_gcca/metrics.json: not JSON .*run experiment 'mtm_gcca' again"):
        tables.read_results(entries, tmp_path / "experiments")
    path.unlink()
    with pytest.raises(DataError, match=r"mtm_gcca/metrics.json: no such file; run `dvc repro`"):
        tables.read_results(entries, tmp_path / "experiments")


def test_setting_names_what_differs() -> None:
    results = {
        "plain": {
            "dataset": "mtm",
            "source": "x",
            "n_items": 9,
            "audio->sheet": {"recall_at_1": 0.5, "recall_at_1_std": 0.0, "pool": 9, "chance": {"recall_at_1": 1 / 9}},
        }
    }
    plain = {"plain": entry("random", title="Random", views={"sheet": "sheet_plain"}, params={"n_components": 4})}
    (row,) = tables.rows("6.2", plain, results)
    assert row["setting"] == "sheet=sheet_plain;n_components=4"
    assert row["published"] == ""


def test_table_of_features(make_mtm: Build, tmp_path: Path) -> None:
    folder = make_mtm(missing="features/audio")
    data_tables.write_features(folder, tmp_path)
    rows = {row["features"]: row for row in read(tmp_path / "table_3_2.csv")}
    assert list(rows) == ["audio", "lyrics", "sheet", "sheet_plain"]
    assert rows["lyrics"]["dimensions"] == "(20, 4) + (20, 4)"
    audio = rows["audio"]
    assert (audio["extractor"], audio["weights"], audio["dimensions"]) == ("VGGish", "untrained", "(20, 16)")
    assert (audio["train"], audio["validation"], audio["test"], audio["samples"]) == ("83", "18", "18", "119")
    assert (audio["published_dimensions"], audio["published_samples"]) == ("VGGish (20, 128)", "14454")
    text = (tmp_path / "table_3_2.md").read_text()
    assert "Source: fabricated." in text
    assert "VGGish" in text


def test_table_of_features_without_features_raises(make_mtm: Build, tmp_path: Path) -> None:
    folder = make_mtm()
    (folder / "features").rename(folder / "other")
    with pytest.raises(DataError, match="features: no features here"):
        data_tables.write_features(folder, tmp_path)
