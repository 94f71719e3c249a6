"""Results made up for tables: what experiments would have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.store.results import Run, read_results

SOURCES = {
    "vegas": "digits", "mv10k": "simulated", "mtm": "music21", "songs": "music21", "image2song": "emoji, fortunes",
}  # fmt: skip


class Looks:
    """Titles of experiments, and the tables and figures (``"fig5.9"``) in which they stand."""

    def __init__(self) -> None:
        self.titles: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}

    def put(self, key: str, title: str, tables: Iterable[str]) -> None:
        """Call an experiment `title`, and put it at the end of some tables."""
        self.titles[key] = title
        for number in tables:
            self.lists.setdefault(number, []).append(key)

    def report(self, **settings: Any) -> Report:
        """Return the section ``report`` of all this."""
        figures = {number.removeprefix("fig"): keys for number, keys in self.lists.items() if number[:3] == "fig"}
        tables = {number: keys for number, keys in self.lists.items() if number[:3] != "fig"}
        sizes: dict[str, Any] = {"gallery_items": 0, "gallery_mb": 0, "sound_s": 1}
        return Report(**(sizes | settings), titles=self.titles, tables=tables, figures=figures)


class Fabricated:
    """Experiments and their results in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.experiments: dict[str, Experiment] = {}
        self.looks = Looks()

    def runs(self) -> list[Run]:
        """Read what was added."""
        return read_results(self.experiments, self.looks.report(), self.folder)

    def add(
        self,
        key: str,
        experiment: Experiment,
        scores: Mapping[str, Any],
        *,
        title: str = "CCA",
        tables: Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        measure: str = "map",
        chance: float | Mapping[str, float] = 0.145,
        notes: tuple[str, ...] = (),
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Write ``metrics.json`` and ``parts.csv`` of one experiment.

        Parameters
        ----------
        scores : mapping of str to array of shape (seeds, folds) or mapping
            By setting ("" for an experiment without variants): the measure of every part, of both directions or by
            direction.
        chance : float or mapping of str to float
            Of the measure, or by direction.
        more : mapping of str to object, optional
            What else stands in every direction: other measures, those of an oracle.
        """
        self.experiments[key] = experiment
        self.looks.put(key, title, tables)
        (self.folder / key).mkdir(parents=True)
        results, rows = [], []
        for setting, values in scores.items():
            both = values if isinstance(values, dict) else {"audio->visual": values, "visual->audio": values}
            arrays = {direction: np.atleast_2d(np.asarray(array, dtype=float)) for direction, array in both.items()}
            n_seeds, n_folds = next(iter(arrays.values())).shape
            result: dict[str, Any] = {
                "dataset": experiment.dataset, "source": SOURCES[experiment.dataset], "model": experiment.model,
                "params": dict(params or {}) | experiment.params, "seed": 0, "n_seeds": n_seeds, "n_items": 400,
                "n_dropped": {}, "n_train": 320, "n_folds": n_folds, "weights": {"audio": "untrained"},
            }  # fmt: skip
            if experiment.variants:
                (variant,) = (variant for variant in experiment.variants if variant.setting == setting)
                result["params"] |= variant.params
                result["setting"] = setting
            if notes:
                result["notes"] = list(notes)
            for direction, array in arrays.items():
                result[direction] = {
                    measure: float(array.mean()),
                    f"{measure}_std": float(array.std(ddof=1)) if array.size > 1 else 0.0,
                    "pool": 80,
                    "chance": {measure: chance if isinstance(chance, float) else chance[direction]},
                    **(more or {}),
                }
                rows += [
                    [setting, seed, fold, direction, measure, array[seed, fold]]
                    for seed in range(n_seeds)
                    for fold in range(n_folds)
                ]
            results.append(result)
        content = {"variants": results} if experiment.variants else results[0]
        (self.folder / key / "metrics.json").write_text(json.dumps(content))
        with (self.folder / key / "parts.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["setting", "seed", "fold", "direction", "measure", "value"])
            writer.writerows(rows)
