"""Whether marked runs find more than others: differences, their interval, and the verdict."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment
from unisono.config.report import Above
from unisono.report import above

FORTH, BACK = "image->lyrics", "lyrics->image"
OURS, THEIRS = [0.30, 0.34, 0.29], [0.20, 0.31, 0.30]


@pytest.fixture
def results(fabricated: Fabricated) -> Fabricated:
    """Two runs in three deals: the first is better in one direction, the second in the other."""
    for key, forth, back in (("a", OURS, THEIRS), ("b", THEIRS, OURS)):
        fabricated.add(
            key,
            Experiment(dataset="image2song", model="overlap"),
            {"": {FORTH: [forth], BACK: [back]}},
            more={"relevant": 9.0},
        )
    return fabricated


def judged(results: Fabricated, marks: dict[str, Above]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["over"], row["direction"]): row for row in above.judge(results.runs(), marks)}


def test_the_difference_and_its_interval_are_those_of_pairs_of_parts(results: Fabricated) -> None:
    rows = judged(results, {"a": Above(over=["b"])})
    assert list(rows) == [("b", FORTH), ("b", BACK)]
    row = rows["b", FORTH]
    differences = np.subtract(OURS, THEIRS)
    half = 4.302653 * differences.std(ddof=1) / math.sqrt(3)
    assert row["difference"] == pytest.approx(differences.mean())
    assert (row["low"], row["high"]) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=1e-6)
    assert (row["value"], row["other"]) == pytest.approx((np.mean(OURS), np.mean(THEIRS)))
    assert (row["measure"], row["n_parts"], row["source"]) == ("map", 3, "emoji, fortunes")
    # The mean decides, of which the interval says how sure it is.
    assert row["low"] < 0
    assert (row["required"], row["verdict"]) == ("yes", "holds")
    assert rows["b", BACK]["verdict"] == "contradicted"
    assert rows["b", BACK]["difference"] == pytest.approx(-differences.mean())


def test_equal_is_not_above(results: Fabricated) -> None:
    assert {row["verdict"] for row in above.judge(results.runs(), {"a": Above(over=["a"])})} == {"contradicted"}


def test_one_part_has_no_interval_and_other_parts_do_not_count(fabricated: Fabricated) -> None:
    entry = Experiment(dataset="image2song", model="overlap")
    fabricated.add("a", entry, {"": {FORTH: [[0.4, 0.9]]}}, more={"relevant": 9.0})
    fabricated.add("b", entry, {"": {FORTH: [[0.3]]}}, more={"relevant": 9.0})
    (row,) = above.judge(fabricated.runs(), {"a": Above(over=["b"])})
    assert (row["n_parts"], row["difference"]) == (1, pytest.approx(0.1))
    assert (row["low"], row["high"]) == (-math.inf, math.inf)


@pytest.mark.parametrize(("run", "over"), [("a", "nobody"), ("nobody", "a"), ("a", "songs")])
def test_what_was_not_run_is_said(results: Fabricated, run: str, over: str, tmp_path: Path) -> None:
    results.add("songs", Experiment(dataset="vegas", model="cca"), {"": [[0.2, 0.3]]})
    above.write(results.runs(), {run: Above(over=[over])}, tmp_path)
    with (tmp_path / "above.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["required"], row["verdict"], row["difference"]) == ("yes", "not run", "")
    assert (row["run"], row["over"]) == (run, over)


def test_nothing_marked_is_a_table_without_rows(results: Fabricated, tmp_path: Path) -> None:
    above.write(results.runs(), {}, tmp_path)
    assert (tmp_path / "above.csv").read_text(encoding="utf-8").splitlines() == [",".join(above.COLUMNS)]


PAIRS = ("audio->lyrics", "lyrics->audio")


@pytest.fixture
def pairs(fabricated: Fabricated) -> Fabricated:
    """Two runs on pairs, of five seeds, with what the kinds of items explain."""
    for key, forth, back in (("a", [0.50, 0.52, 0.51], [0.3, 0.3, 0.3]), ("b", [0.40, 0.45, 0.42], [0.2, 0.4, 0.36])):
        fabricated.add(
            key,
            Experiment(dataset="mtm", model="cca"),
            {"": dict(zip(PAIRS, ([[each] for each in values] for values in (forth, back)), strict=True))},
            measure="recall_at_10",
            more={"recall_at_1": 0.1, "oracle": {"recall_at_10": 0.45}},
        )
    return fabricated


def test_a_measure_of_ones_own_and_the_mean_of_directions(pairs: Fabricated) -> None:
    mark = Above(over=["b"], measure="recall_at_10", mean=True)
    (row,) = above.judge(pairs.runs(), {"a": mark})
    differences = np.array([0.8 - 0.6, 0.82 - 0.85, 0.81 - 0.78]) / 2
    assert (row["direction"], row["measure"], row["n_parts"]) == ("mean", "recall_at_10", 3)
    assert row["difference"] == pytest.approx(differences.mean())
    assert row["verdict"] == "holds"
    # The interval holds 0.
    (row,) = above.judge(pairs.runs(), {"a": mark.model_copy(update={"interval": True})})
    assert row["low"] < 0 < row["difference"]
    assert row["verdict"] == "contradicted"


def test_what_the_kinds_explain_is_another_thing_to_be_above(pairs: Fabricated) -> None:
    mark = Above(over=[], measure="recall_at_10", oracle=list(PAIRS))
    first, second = above.judge(pairs.runs(), {"a": mark})
    assert (first["over"], first["direction"], first["verdict"]) == ("Oracle of the kinds", PAIRS[0], "holds")
    assert first["other"] == pytest.approx(0.45)
    assert first["difference"] == pytest.approx(0.06)
    assert second["verdict"] == "contradicted"
    (row,) = above.judge(pairs.runs(), {"a": Above(over=[], measure="recall_at_10", oracle=["audio->sheet"])})
    assert row["verdict"] == "not run"
