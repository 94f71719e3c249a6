"""Recall curves as a table and a picture."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from unisono.config.experiments import Experiment
from unisono.errors import DataError
from unisono.report import curves


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, Experiment]:
    """Two experiments with known curves in ``tmp_path/experiments``, and one on another data set."""
    found = {
        "mtm_a": Experiment(dataset="mtm", model="cca", title="CCA"),
        "mtm_b": Experiment(dataset="mtm", model="cca", title="CCA", views={"sheet": "sheet_plain"}),
        "other": Experiment(dataset="vegas", model="cca", title="CCA"),
    }
    for key, first in (("mtm_a", 0.5), ("mtm_b", 0.25)):
        folder = tmp_path / "experiments" / key
        folder.mkdir(parents=True)
        (folder / "recall.csv").write_text(f"direction,k,recall\naudio->sheet,1,{first}\naudio->sheet,2,1.0\n")
        (folder / "metrics.json").write_text(json.dumps({"source": "music21"}))
    return found


def test_curves_of_one_data_set_by_method_and_setting(entries: dict[str, Experiment], tmp_path: Path) -> None:
    rows = curves.read_recall(entries, tmp_path / "experiments", dataset="mtm")
    assert [(row["method"], row["k"], row["recall"]) for row in rows] == [
        ("CCA", 1, 0.5),
        ("CCA", 2, 1.0),
        ("CCA sheet=sheet_plain", 1, 0.25),
        ("CCA sheet=sheet_plain", 2, 1.0),
    ]


def test_table_and_picture_are_written(entries: dict[str, Experiment], tmp_path: Path) -> None:
    del entries["other"]
    curves.write_recall(entries, tmp_path / "experiments", tmp_path / "r.csv", tmp_path / "r.png")
    with (tmp_path / "r.csv").open(encoding="utf-8") as file:
        assert [row["recall"] for row in csv.DictReader(file)] == ["0.5", "1.0", "0.25", "1.0"]
    with Image.open(tmp_path / "r.png") as picture:
        assert picture.format == "PNG"
        # Two curves and the line of chance: more than the greys of axes and text.
        assert len({colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}) > 10


def test_a_missing_curve_is_named(entries: dict[str, Experiment], tmp_path: Path) -> None:
    (tmp_path / "experiments" / "mtm_b" / "recall.csv").unlink()
    with pytest.raises(DataError, match=r"mtm_b/recall\.csv: no such file; run `dvc repro run_experiment@mtm_b`"):
        curves.read_recall(entries, tmp_path / "experiments", dataset="mtm")


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none is on mtm"):
        curves.write_recall({}, tmp_path, tmp_path / "r.csv", tmp_path / "r.png")
