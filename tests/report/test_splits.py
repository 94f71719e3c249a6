"""The figure of songs dealt by song and by file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unisono.config.experiments import Experiment
from unisono.report import splits
from unisono.store.results import Run


def run(key: str, division: str, mrr: float, place: int) -> Run:
    scores = {"mrr": mrr, "mrr_std": 0.01, "recall_at_10": 0.3, "recall_at_10_std": 0.0, "pool": 58,
              "chance": {"mrr": 0.08, "recall_at_10": 0.17}}  # fmt: skip
    result: dict[str, Any] = {"dataset": "songs", "source": "music21", "n_items": 415, "audio->lyrics": scores}
    entry = Experiment(dataset="songs", model="cca", division=division)
    return Run(key, entry, key, {"figsongs_divisions": place}, "", "", result, Path())


def test_runs_are_rows_by_their_division() -> None:
    found = splits.rows([run("b", "file", 0.2, 1), run("a", "", 0.1, 0)])
    assert [(row["setting"], row["metric"], float(row["value"])) for row in found] == [
        ("song", "mrr", 0.1), ("song", "recall@10", 0.3), ("file", "mrr", 0.2), ("file", "recall@10", 0.3),
    ]  # fmt: skip
    assert {float(row["chance"]) for row in found} == {0.08, 0.17}


@pytest.mark.parametrize("runs", [[], [run("a", "", 0.1, 0), run("b", "file", 0.2, 1)]])
def test_it_is_drawn_also_without_experiments(tmp_path: Path, runs: list[Run]) -> None:
    splits.write(runs, tables_folder=tmp_path, figures=tmp_path)
    assert (tmp_path / "figure_songs_divisions.png").stat().st_size > 10_000
    assert len((tmp_path / "figure_songs_divisions.csv").read_text().splitlines()) == 1 + 2 * len(runs)
