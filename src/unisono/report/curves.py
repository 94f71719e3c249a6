"""Recall curves of experiments: one table for DVC's plots, one picture for readers."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisono.errors import DataError
from unisono.io.files import replacing
from unisono.report import tables

COLUMNS = ("method", "direction", "k", "recall")


def read_recall(experiments: Mapping[str, Any], folder: Path, *, dataset: str) -> list[dict[str, Any]]:
    """Read the recall curves of all experiments on one data set.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
    folder : Path
        Results of the experiments.
    dataset : str
        Only experiments on this data set are read.

    Returns
    -------
    list of dict
        Keys ``method`` (title and setting), ``direction``, ``k`` and ``recall`` (a fraction).

    Raises
    ------
    DataError
        An experiment has no curve.
    """
    found: list[dict[str, Any]] = []
    for key, experiment in experiments.items():
        if experiment.dataset != dataset:
            continue
        path = folder / key / "recall.csv"
        if not path.is_file():
            raise DataError(f"{path}: no such file; run `dvc repro run_experiment@{key}` first")
        name = " ".join(filter(None, (experiment.title, tables.setting(experiment))))
        with path.open(encoding="utf-8", newline="") as file:
            found += [
                {"method": name, "direction": row["direction"], "k": int(row["k"]), "recall": float(row["recall"])}
                for row in csv.DictReader(file)
            ]
    return found


def draw_recall(found: list[dict[str, Any]], path: Path, *, title: str) -> None:
    """Draw recall against the cut-off, one panel per direction, methods in colours, chance dotted.

    Parameters
    ----------
    found : list of dict
        From `read_recall`; not empty.
    path : Path
        PNG file to write.
    title : str
        Heading of the picture.
    """
    from matplotlib.figure import Figure

    directions = list(dict.fromkeys(row["direction"] for row in found))
    methods = list(dict.fromkeys(row["method"] for row in found))
    n_columns = min(3, len(directions))
    n_rows = -(-len(directions) // n_columns)
    figure = Figure(figsize=(3.6 * n_columns, 3.0 * n_rows + 0.6), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for panel, direction in zip(panels.flat, directions, strict=False):
        for number, method in enumerate(methods):
            curve = [row for row in found if row["method"] == method and row["direction"] == direction]
            ks, recall = [row["k"] for row in curve], [100 * row["recall"] for row in curve]
            panel.plot(ks, recall, color=f"C{number}", label=method, linewidth=1.6)
        pool = max(row["k"] for row in found if row["direction"] == direction)
        panel.plot(range(1, pool + 1), [100 * k / pool for k in range(1, pool + 1)], ":", color="0.4", label="chance")
        panel.set_title(direction.replace("->", " → "), fontsize=10)
        panel.set_xscale("log")
        panel.grid(alpha=0.3)
    for panel in panels.flat[len(directions) :]:
        panel.set_visible(False)
    for panel in panels[-1]:
        panel.set_xlabel("k (the first k of the ranking)", fontsize=9)
    figure.supylabel("R@k, %", fontsize=10)
    figure.suptitle(title, fontsize=11)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def write_recall(experiments: Mapping[str, Any], folder: Path, table: Path, picture: Path) -> None:
    """Write the recall curves of the musical data set as a CSV file and as a picture.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
    folder : Path
        Results of the experiments.
    table : Path
        CSV file: method, direction, k, recall.
    picture : Path
        PNG file.

    Raises
    ------
    DataError
        An experiment has no curve, or no experiment ranks pairs.
    """
    found = read_recall(experiments, folder, dataset="mtm")
    if not found:
        raise DataError("experiments: none is on mtm, so there is no recall curve; add one to params.yaml")
    sources = {result["source"] for result in tables.read_results(experiments, folder).values()}
    tables.write_csv(table, COLUMNS, found)
    draw_recall(found, picture, title=f"Finding the pair of an item (source: {', '.join(sorted(sources))})")
