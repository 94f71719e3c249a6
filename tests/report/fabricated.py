"""Results made up for tables: what experiments would have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.experiments import Experiment

SOURCES = {"vegas": "digits", "mv10k": "simulated", "mtm": "music21"}


class Fabricated:
    """Experiments and their results in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.experiments: dict[str, Experiment] = {}

    def add(
        self,
        key: str,
        experiment: Experiment,
        scores: Mapping[str, Any],
        *,
        params: Mapping[str, Any] | None = None,
        measure: str = "map",
        chance: float = 0.145,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Write ``metrics.json`` and ``parts.csv`` of one experiment.

        Parameters
        ----------
        scores : mapping of str to array of shape (seeds, folds) or mapping
            By setting ("" for an experiment without variants): the measure of every part, of both directions or by
            direction.
        """
        self.experiments[key] = experiment
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
                    "chance": {measure: chance},
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
