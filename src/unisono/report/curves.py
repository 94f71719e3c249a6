"""Curves over the cut-off: recall of pairs, and precision against recall (figures 4.5-4.9, 5.3 and 5.4).

**Conventions.** A curve is the mean over queries, parts and seeds at every cut-off k. Which experiments a figure shows
is read from ``params.yaml``: those of the table that it belongs to. A figure nobody has an experiment for is
written all the same, and says so.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono.errors import DataError
from unisono.report import drawing, layouts, tables
from unisono.store.results import Run, directions, is_relation

#: Points kept of a curve, at most.
POINTS = 50

RECALL_COLUMNS = ("method", "direction", "k", "recall")
PRECISION_COLUMNS = (
    "figure", "dataset", "method", "setting", "direction", "k", "precision", "recall", "source", "n_items",
)  # fmt: skip

#: Chapter 4 says of S-DCCA-extend2 with 3 of 9 chunks how its curve begins and ends: recall and precision.
EXTEND2_ENDS = ((0.20, 0.266), (0.41, 0.238))


@dataclass(frozen=True)
class PrecisionFigure:
    """A figure of precision against recall.

    Attributes
    ----------
    table : str
        Whose experiments it shows.
    dataset : str
    title : str
    directions : tuple of str
    setting : str
        The published setting shown; empty for all.
    methods : str
        What the titles of its methods begin with.
    note : str
    """

    table: str
    dataset: str
    title: str
    directions: tuple[str, ...]
    setting: str = ""
    methods: str = ""
    note: str = ""


_BOTH = ("audio->visual", "visual->audio")
_OURS = (
    "The dissertation's figures 4.5-4.9 show such curves; which of them has which chunks is our assignment, since their"
    " values are not published."
)
FIGURES = {
    "4.5": PrecisionFigure("4.1", "mv10k", "1 of 3 chunks of audio", _BOTH[:1], "k/chunks=1/3", note=_OURS),
    "4.6": PrecisionFigure("4.1", "mv10k", "2 of 6 chunks of audio", _BOTH[:1], "k/chunks=2/6", note=_OURS),
    "4.7": PrecisionFigure("4.1", "mv10k", "3 of 9 chunks of audio", _BOTH[:1], "k/chunks=3/9", note=_OURS),
    "4.8": PrecisionFigure("4.1", "mv10k", "mean of the whole audio", _BOTH[:1], "mean", note=_OURS),
    "4.9": PrecisionFigure(
        "4.1", "mv10k", "S-DCCA with more pairs, 3 of 9 chunks", _BOTH[:1], "k/chunks=3/9", "S-DCCA",
        note=_OURS + " D tells only the ends of S-DCCA-extend2's curve, on its own data.",
    ),
    "5.3": PrecisionFigure("5.2", "vegas", "methods of Table 5.2", _BOTH),
    "5.4": PrecisionFigure("5.2", "mv10k", "methods of Table 5.2", _BOTH),
}  # fmt: skip


def read_recall(runs: Iterable[Run], *, dataset: str) -> list[dict[str, Any]]:
    """Read the recall curves of all runs on one data set.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
    dataset : str
        Only runs on this data set are read; where an item belongs to any number of others, those of the table of its
        name.

    Returns
    -------
    list of dict
        Keys are `RECALL_COLUMNS`: ``method`` is title and setting, ``recall`` a fraction.

    Raises
    ------
    DataError
        A run has no curve.
    """
    found: list[dict[str, Any]] = []
    for run in runs:
        if run.experiment.dataset != dataset:
            continue
        name = " ".join(filter(None, (run.title, run.setting)))
        if any(is_relation(run.result["->".join(pair)]) for pair in directions(run.result)):
            # Those of one table, under its names; what is told the answer would be a line at the top.
            if dataset not in run.places or run.is_told:
                continue
            name = run.title
        found += [
            {"method": name, "direction": row["direction"], "k": int(row["k"]), "recall": float(row["recall"])}
            for row in read_curve(run, "recall.csv", log=True)
        ]
    return found


def write_recall(runs: Sequence[Run], *, table: Path, picture: Path, dataset: str = "mtm") -> None:
    """Write the recall curves of a data set as a table and as a picture, one panel per direction.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
    table : Path
        CSV file; its columns are `RECALL_COLUMNS`.
    picture : Path
        Without ending; ``.png`` and ``.svg`` are written.
    dataset : str

    Raises
    ------
    DataError
        A run has no curve, or a file cannot be written.
    """
    found = read_recall(runs, dataset=dataset)
    tables.write_csv(table, RECALL_COLUMNS, found)
    own = [run for run in runs if run.experiment.dataset == dataset]
    sources = sorted({run.result["source"] for run in own})
    several = any(is_relation(run.result["->".join(pair)]) for run in own for pair in directions(run.result))
    drawing.drawn(picture, _draw_recall, dataset, sources, found, several)


def _draw_recall(
    dataset: str, sources: Sequence[str], found: Sequence[dict[str, Any]], several: bool, out: Path
) -> None:
    directions = list(dict.fromkeys(row["direction"] for row in found))
    styles = drawing.line_styles(row["method"] for row in found)
    n_columns = max(min(3, len(directions)), 1)
    n_rows = max(-(-len(directions) // n_columns), 1)
    with drawing.canvas(out, width=3.6 * max(n_columns, 2), height=3.0 * n_rows + 0.6) as figure:
        panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        if not found:
            drawing.say_nothing(panels[0, 0], f"no experiment on {dataset}")
            return
        for panel, direction in zip(panels.flat, directions, strict=False):
            rows = [row for row in found if row["direction"] == direction]
            pool = max(row["k"] for row in rows)
            for method, style in styles.items():
                curve = [row for row in rows if row["method"] == method]
                ks, recall = [row["k"] for row in curve], [100 * row["recall"] for row in curve]
                panel.plot(ks, recall, label=method, markevery=_marked(ks), markersize=4, linewidth=1.5, **style)
            if not several:
                panel.plot(range(1, pool + 1), [100 * k / pool for k in range(1, pool + 1)], label="chance",
                           **drawing.CHANCE)  # fmt: skip
            panel.set_title(f"{drawing.arrow(direction)} (pool {pool})")
            panel.set_xscale("log")
            panel.grid(alpha=0.3)
        for panel in panels.flat[len(directions) :]:
            panel.set_visible(False)
        for panel in panels[-1]:
            panel.set_xlabel("k (the first k of the ranking)")
        figure.supylabel("R@k (%)", fontsize="medium")
        what = "one of the items that belong to an item" if several else "the pair of an item"
        figure.suptitle(f"Finding {what} ({layouts.DATASETS[dataset]}, source {', '.join(sources)})")
        figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


def write_precision(runs: Sequence[Run], *, plots: Path, figures: Path) -> None:
    """Write every figure of precision against recall.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    plots : Path
        Folder for the curves, ``figure_5_3.csv``; columns are `PRECISION_COLUMNS`.
    figures : Path
        Folder for the pictures, ``figure_5_3.png`` and ``.svg``.

    Raises
    ------
    DataError
        A run has no curve, or a file cannot be written.
    """
    for number, figure in FIGURES.items():
        name = f"figure_{number.replace('.', '_')}"
        found = precision_rows(number, runs)
        tables.write_csv(plots / f"{name}.csv", PRECISION_COLUMNS, found)
        drawing.drawn(figures / name, _draw_precision, number, figure, found)


def precision_rows(number: str, runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Collect the curves of one figure.

    Parameters
    ----------
    number : str
        One of `FIGURES`.
    runs : iterable of unisono.store.results.Run

    Returns
    -------
    list of dict
        Keys are `PRECISION_COLUMNS`.

    Raises
    ------
    DataError
        A run has no curve.
    """
    figure = FIGURES[number]
    found = []
    for run, shown, label in tables.standing(figure.table, runs):
        if run.result["dataset"] != figure.dataset or not run.title.startswith(figure.methods):
            continue
        if figure.setting not in ("", label):
            continue
        found += [
            {
                "figure": number,
                "dataset": figure.dataset,
                "method": run.title,
                "setting": shown,
                "direction": row["direction"],
                "k": int(row["k"]),
                "precision": float(row["precision"]),
                "recall": float(row["recall"]),
                "source": run.result["source"],
                "n_items": run.result["n_items"],
            }
            for row in read_curve(run, "precision_recall.csv")
            if row["direction"] in figure.directions
        ]
    return found


def read_curve(run: Run, name: str, *, log: bool = False) -> list[dict[str, str]]:
    """Read a run's rows of a file of curves, `POINTS` of each direction at most.

    Parameters
    ----------
    run : unisono.store.results.Run
    name : str
        ``recall.csv`` or ``precision_recall.csv``, in the run's folder.
    log : bool
        See `unisono.report.drawing.thinned`.

    Returns
    -------
    list of dict of str to str

    Raises
    ------
    DataError
        No such file, or no row of this run in it.
    """
    path = run.folder / name
    own = run.result.get("setting", "")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            by_direction: dict[str, list[dict[str, str]]] = {}
            for row in csv.DictReader(file):
                if row.get("setting", "") == own:
                    by_direction.setdefault(row["direction"], []).append(row)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run `unisono fit {run.key}` first") from None
    if not by_direction:
        raise DataError(f"{path}: no row of setting {own!r}; run experiment {run.key!r} again")
    return [curve[place] for curve in by_direction.values() for place in drawing.thinned(len(curve), POINTS, log=log)]


def names(rows: Iterable[Any]) -> dict[tuple[str, str], str]:
    """Name each (method, setting) for a legend: the setting is said where a method stands there with several."""
    pairs = list(dict.fromkeys((row["method"], row["setting"]) for row in rows))
    methods = [method for method, _ in pairs]
    return {
        (method, setting): f"{method} ({setting})" if setting and methods.count(method) > 1 else method
        for method, setting in pairs
    }


def _marked(values: Sequence[float]) -> list[int]:
    """Places for some eight markers along a curve, evenly apart on the axis."""
    from math import log

    if len(values) < 2:
        return [0] * len(values)
    first, last = log(values[0]), log(values[-1])
    wanted = [first + (last - first) * step / 8 for step in range(9)]
    return sorted({min(range(len(values)), key=lambda at: abs(log(values[at]) - target)) for target in wanted})


def _draw_precision(number: str, spec: PrecisionFigure, found: list[dict[str, Any]], out: Path) -> None:
    labels = names(found)
    styles = drawing.line_styles(labels.values())
    n = len(spec.directions)
    sources = sorted({row["source"] for row in found})
    heading = f"Figure {number}: precision and recall, {spec.title}"
    subtitle = ", ".join([layouts.DATASETS[spec.dataset], *(f"source {source}" for source in sources)])
    height = 4.0 + 0.2 * -(-len(labels) // 4) + (0.3 if spec.note else 0)
    with drawing.canvas(out, width=4.6 * n + (1.4 if n == 1 else 0), height=height) as figure:
        figure.suptitle(f"{heading}\n{subtitle}")
        panels = figure.subplots(1, n, sharey=True, squeeze=False)[0]
        if not found:
            reason = f"no experiment on {spec.dataset} stands in Table {spec.table}"
            drawing.say_nothing(panels[0], reason + (f" with {spec.setting}" if spec.setting else ""))
            for panel in panels[1:]:
                panel.set_axis_off()
            return
        for panel, direction in zip(panels, spec.directions, strict=True):
            level = 0.0
            for (method, setting), label in labels.items():
                curve = [
                    row
                    for row in found
                    if (row["method"], row["setting"], row["direction"]) == (method, setting, direction)
                ]
                recall, precision = ([100 * row[name] for row in curve] for name in ("recall", "precision"))
                panel.plot(recall, precision, label=label, markevery=0.11, markersize=4, linewidth=1.5, **styles[label])
                level = precision[-1]
            # Whoever returns everything has the precision of a random order.
            panel.axhline(level, label="chance", **drawing.CHANCE)
            if spec.methods:
                ends = [[100 * value for value in values] for values in zip(*EXTEND2_ENDS, strict=True)]
                panel.plot(*ends, label="D: S-DCCA-extend2", color="0.5", marker="o", fillstyle="none", linestyle="--")
            panel.set_title(drawing.arrow(direction))
            panel.set_xlabel("recall (%)")
            panel.set_xlim(0, 100)
            panel.grid(alpha=0.3)
        panels[0].set_ylabel("precision (%)")
        panels[0].set_ylim(0, None)
        handles = panels[0].get_legend_handles_labels()
        # The note as the legend's title: the layout keeps both clear of each other.
        note = textwrap.fill(spec.note, 110)
        figure.legend(
            *handles, loc="outside lower center", ncols=4, frameon=False, title=note or None, title_fontsize=7
        )
