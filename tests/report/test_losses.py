"""Loss curves: means over folds and seeds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment, Variant
from unisono.report import losses


@pytest.fixture
def trained(fabricated: Fabricated) -> Fabricated:
    """A closed form, and a sweep of two settings: the loss is 1 / epoch in one fold, three times that in the other."""
    scores = np.array([[0.2, 0.3]])
    fabricated.add("closed", Experiment(dataset="vegas", model="cca"), scores={"": scores})
    variants = [Variant(setting="margin=0.1"), Variant(setting="margin=0.5")]
    entry = Experiment(dataset="vegas", model="cca", variants=variants)
    fabricated.add("deep", entry, {variant.setting: scores for variant in variants}, title="TNN")
    with (fabricated.folder / "deep" / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["setting", "seed", "fold", "space", "epoch", "term", "value"])
        for variant in variants:
            for fold, factor in enumerate((1, 3)):
                for epoch in range(1, 251):
                    writer.writerow([variant.setting, 0, fold, "", epoch, "loss", factor / epoch])
                    writer.writerow([variant.setting, 0, fold, "", epoch, "active", 1.0])
    return fabricated


def test_means_over_folds_of_every_setting_and_term(trained: Fabricated) -> None:
    rows = losses.rows(trained.runs())
    assert {row["experiment"] for row in rows} == {"deep"}
    curve = [row for row in rows if (row["setting"], row["term"]) == ("margin=0.5", "loss")]
    assert [float(row["value"]) for row in curve[:2]] == [2.0, pytest.approx(2 / curve[1]["epoch"], rel=1e-5)]
    assert float(curve[0]["std"]) == pytest.approx(np.std([1, 3], ddof=1), rel=1e-5)
    # 250 epochs are thinned out; the beginning and the end stay.
    epochs = [row["epoch"] for row in curve]
    assert len(epochs) == losses.POINTS
    assert (epochs[:10], epochs[-1]) == (list(range(1, 11)), 250)
    assert len(rows) == 4 * losses.POINTS


def test_table_and_picture(trained: Fabricated, tmp_path: Path) -> None:
    runs = trained.runs()
    losses.write(runs, table=tmp_path / "losses.csv", picture=tmp_path / "losses")
    with (tmp_path / "losses.csv").open(encoding="utf-8", newline="") as file:
        assert tuple(next(csv.reader(file))) == losses.COLUMNS
    assert (tmp_path / "losses.svg").stat().st_size > 10_000


def test_closed_forms_alone_have_none(trained: Fabricated, tmp_path: Path) -> None:
    del trained.experiments["deep"]
    runs = trained.runs()
    losses.write(runs, table=tmp_path / "losses.csv", picture=tmp_path / "losses")
    assert (tmp_path / "losses.csv").read_text() == ",".join(losses.COLUMNS) + "\n"
    assert (tmp_path / "losses.png").is_file()
