"""Curves that the page's script draws, from ``results/plots`` and ``results/tables``.

**Conventions.** A chart is a dict for the script: ``panels`` of ``series`` with numbers ``x`` and ``y``, of four
significant digits; curves were thinned out when they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisono.report import curves, drawing, layouts, losses, sweeps, tables
from unisono.report.html.result_tables import read

Chart = dict[str, Any]


def collect(plots: Path, tables_folder: Path) -> dict[str, Chart]:
    """Read every chart whose numbers are there.

    Parameters
    ----------
    plots : Path
        Holds ``recall.csv``, ``losses.csv``, ``figure_5_3.csv``, ...
    tables_folder : Path
        Holds ``figure_5_8.csv`` and ``figure_5_9.csv``.

    Returns
    -------
    dict of str to dict
        By the name of the figure's file. One whose numbers are missing, damaged or empty is left out.
    """
    found: dict[str, Chart | None] = {
        "recall": _if_read(plots / "recall.csv", curves.RECALL_COLUMNS, _recall),
        "recall_image2song": _if_read(
            plots / "recall_image2song.csv", curves.RECALL_COLUMNS, lambda rows: _recall(rows, paired=False)
        ),
        "losses": _if_read(plots / "losses.csv", losses.COLUMNS, _losses),
    }
    for number in curves.FIGURES:
        name = file_name(number)
        found[name] = _if_read(plots / f"{name}.csv", curves.PRECISION_COLUMNS, _precision)
    for number, (_, panels) in sweeps.FIGURES.items():
        name = file_name(number)
        found[name] = _if_read(
            tables_folder / f"{name}.csv", tables.COLUMNS, lambda rows, panels=panels: _sweep(rows, panels)
        )
    return {name: chart for name, chart in found.items() if chart}


def file_name(number: str) -> str:
    """Name the files of a figure: ``"figure_5_3"`` for ``"5.3"``."""
    return f"figure_{number.replace('.', '_')}"


def _if_read(path: Path, columns: Sequence[str], build: Any) -> Chart | None:
    rows = read(path, columns)
    try:
        return build(rows) if rows else None
    except ValueError:
        return None


def _recall(rows: Sequence[Mapping[str, str]], *, paired: bool = True) -> Chart:
    panels = []
    for direction, own in _groups(rows, "direction").items():
        pool = max(int(row["k"]) for row in own)
        series = [
            _series(method, [(float(row["k"]), 100 * float(row["recall"])) for row in curve])
            for method, curve in _groups(own, "method").items()
        ]
        if paired:
            steps = np.unique(np.geomspace(1, pool, min(20, pool)).round())
            series.append(_series("chance", [(k, 100 * k / pool) for k in steps]) | {"chance": True})
        panels.append({"title": f"{drawing.arrow(direction)} (pool {pool})", "series": series})
    return {"x": "k", "y": "R@k (%)", "log": True, "zero": True, "panels": panels}


def _precision(rows: Sequence[Mapping[str, str]]) -> Chart:
    names = curves.names(rows)
    panels = []
    for direction, own in _groups(rows, "direction").items():
        series = []
        level = 0.0
        for pair, name in names.items():
            points = [
                (100 * float(row["recall"]), 100 * float(row["precision"]))
                for row in own
                if (row["method"], row["setting"]) == pair
            ]
            if points:
                series.append(_series(name, points))
                level = points[-1][1]
        series.append(_series("chance", [(0.0, level), (100.0, level)]) | {"chance": True})
        panels.append({"title": drawing.arrow(direction), "series": series})
    return {"x": "recall (%)", "y": "precision (%)", "zero": True, "panels": panels}


def _losses(rows: Sequence[Mapping[str, str]]) -> Chart:
    panels = []
    for (key, term), own in _groups(rows, "experiment", "term").items():
        first = own[0]
        series = [
            _series(
                ", ".join(filter(None, pair)) or term, [(float(row["epoch"]), float(row["value"])) for row in curve]
            )
            for pair, curve in _groups(own, "setting", "space").items()
        ]
        group = f"{first['method']}, {layouts.DATASETS.get(first['dataset'], first['dataset'])}: {key}"
        panels.append({"title": term, "group": group, "series": series})
    return {"x": "epoch", "y": "loss", "panels": panels}


def _sweep(rows: Sequence[Mapping[str, str]], panels: Sequence[sweeps.Panel]) -> Chart:
    drawn = []
    for panel in panels:
        own = [row for row in rows if (row["table"], row["metric"]) == (panel.table, panel.metric)]
        theirs = [row for row in tables.published() if row["table"] == panel.table]
        series = []
        for prefix, found in (("", own), ("D: ", theirs)):
            for name, curve in sweeps.curves(panel, found).items():
                points = [(place, 100 * float(row["value"])) for place, row in curve]
                series.append(_series(prefix + name, points) | ({"published": True} if prefix else {}))
        levels = [float(row["chance"]) for row in own if row["chance"]]
        places = [x for one in series for x in one["x"]]
        if levels and places:
            level = 100 * sum(levels) / len(levels)
            series.append(_series("chance", [(min(places), level), (max(places), level)]) | {"chance": True})
        drawn.append({"title": panel.title, "series": series})
    return {"x": "", "y": sweeps.label_of(panels), "zero": True, "panels": drawn}


def _groups(rows: Iterable[Mapping[str, str]], *names: str) -> dict[Any, list[Mapping[str, str]]]:
    """Sort rows by some columns, in the order in which they come."""
    found: dict[Any, list[Mapping[str, str]]] = {}
    for row in rows:
        key = row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)
        found.setdefault(key, []).append(row)
    return found


def _series(name: str, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {"name": name, "x": [_short(x) for x, _ in points], "y": [_short(y) for _, y in points]}


def _short(value: float) -> float:
    """Keep four significant digits."""
    if not np.isfinite(value):
        raise ValueError(f"{value} in a curve")
    return float(f"{value:.4g}")
