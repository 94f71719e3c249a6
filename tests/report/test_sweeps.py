"""MAP against a hyper-parameter: figures 5.8 and 5.9."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment, Variant
from unisono.report import sweeps, tables


@pytest.fixture
def swept(fabricated: Fabricated) -> Fabricated:
    """One sweep of margins, one of batches, two of components."""

    def add(key: str, title: str, number: str, values: dict[str, float]) -> None:
        entry = Experiment(dataset="vegas", model="cca", variants=[Variant(setting=s) for s in values])
        fabricated.add(
            key,
            entry,
            {s: np.array([[value - 0.01, value, value + 0.01]]) for s, value in values.items()},
            title=title,
            tables=[number],
        )

    add("margins", "TNN-C-CCA", "5.5", {"margin=0.5;batches=500": 0.4, "margin=0.1;batches=500": 0.3})
    add("batches", "TNN-C-CCA", "5.6", {"margin=0.5;batches=300": 0.45, "margin=0.5;batches=900": 0.35})
    add("few", "CCA", "fig5.9", {"components=10": 0.2, "components=9": 0.21})
    add("more", "C-CCA", "fig5.9", {"components=10": 0.36})
    return fabricated


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_numbers_with_the_published_beside(swept: Fabricated, tmp_path: Path) -> None:
    runs = swept.runs()
    sweeps.write(runs, tables_folder=tmp_path / "tables", figures=tmp_path / "figures")
    rows = read(tmp_path / "tables" / "figure_5_9.csv")
    assert tuple(rows[0]) == tables.COLUMNS
    (row,) = (r for r in rows if (r["method"], r["setting"], r["query"]) == ("C-CCA", "components=10", "visual"))
    assert (float(row["value"]), float(row["std"]), float(row["published"])) == (0.36, 0.01, 0.6435)
    assert row["source"] == "digits"
    # Nine components are ours alone.
    assert {r["published"] for r in rows if r["setting"] == "components=9"} == {""}
    rows = read(tmp_path / "tables" / "figure_5_8.csv")
    assert {(r["table"], r["setting"]) for r in rows} == {
        ("5.5", "margin=0.1;batches=500"),
        ("5.5", "margin=0.5;batches=500"),
        ("5.6", "margin=0.5;batches=300"),
        ("5.6", "margin=0.5;batches=900"),
    }
    assert {r["published"] for r in rows if r["setting"] == "margin=0.5;batches=900"} == {"0.6128", "0.5847"}
    for number in ("5_8", "5_9"):
        assert (tmp_path / "figures" / f"figure_{number}.png").stat().st_size > 10_000
        assert (tmp_path / "figures" / f"figure_{number}.svg").stat().st_size > 10_000


def test_lines_are_methods_or_directions_in_order_of_the_axis(swept: Fabricated) -> None:
    runs = swept.runs()
    both = sweeps.curves(sweeps.FIGURES["5.8"][1][0], sweeps.rows("5.8", runs)[:4])
    assert {name: [place for place, _ in curve] for name, curve in both.items()} == {
        "audio → visual": [0.1, 0.5],
        "visual → audio": [0.1, 0.5],
    }
    one = sweeps.curves(sweeps.FIGURES["5.9"][1][1], sweeps.rows("5.9", runs))
    assert {name: [place for place, _ in curve] for name, curve in one.items()} == {"CCA": [9.0, 10.0], "C-CCA": [10.0]}
    assert {row["query"] for curve in one.values() for _, row in curve} == {"visual"}


def test_without_experiments_the_published_curves_remain(tmp_path: Path) -> None:
    sweeps.write([], tables_folder=tmp_path, figures=tmp_path)
    assert read(tmp_path / "figure_5_8.csv") == []
    assert (tmp_path / "figure_5_8.png").stat().st_size > 10_000
