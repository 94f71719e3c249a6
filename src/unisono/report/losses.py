"""Loss curves of the deep methods, as a table and as small multiples."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisono.report import drawing, layouts, tables
from unisono.store.results import Run

COLUMNS = ("experiment", "method", "dataset", "setting", "space", "epoch", "term", "value", "std", "source")
#: Epochs kept of a curve, at most.
POINTS = 50
#: Settings named in the legend of a panel, at most.
NAMED = 4


def rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Average the history of every run over folds and seeds.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Those without ``history.csv`` are closed forms.

    Returns
    -------
    list of dict
        Keys are `COLUMNS`; ``std`` is the deviation over folds and seeds. Of a longer curve, `POINTS` epochs are
        kept: the first ten, the last, and others evenly apart.
    """
    found = []
    for key, own in _by_experiment(runs).items():
        path = own[0].folder / "history.csv"
        if not path.is_file():
            continue
        values: dict[tuple[str, str, str], dict[int, list[float]]] = {}
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                curve = values.setdefault((row["setting"], row["space"], row["term"]), {})
                curve.setdefault(int(row["epoch"]), []).append(float(row["value"]))
        for (setting, space, term), curve in values.items():
            epochs = sorted(curve)
            for epoch in (epochs[place] for place in drawing.thinned(len(epochs), POINTS)):
                found.append({
                    "experiment": key,
                    "method": own[0].title,
                    "dataset": own[0].experiment.dataset,
                    "setting": setting,
                    "space": space,
                    "epoch": epoch,
                    "term": term,
                    "value": f"{np.mean(curve[epoch]):.6g}",
                    "std": f"{np.std(curve[epoch], ddof=1) if len(curve[epoch]) > 1 else 0.0:.6g}",
                    "source": own[0].result["source"],
                })  # fmt: skip
    return found


def write(runs: Sequence[Run], *, table: Path, picture: Path) -> None:
    """Write the loss curves, and draw one panel per experiment and term.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    table : Path
        CSV file; its columns are `COLUMNS`.
    picture : Path
        Without ending; ``.png`` and ``.svg`` are written.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    found = rows(runs)
    tables.write_csv(table, COLUMNS, found)
    drawing.drawn(picture, _draw, found)


def _draw(found: Sequence[dict[str, Any]], out: Path) -> None:
    """Draw one panel per experiment and term."""
    by_panel: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found:
        by_panel.setdefault((row["experiment"], row["term"]), []).append(row)
    n_columns = min(max(len(by_panel), 1), 4)
    n_rows = max(-(-len(by_panel) // n_columns), 1)
    with drawing.canvas(out, width=max(2.9 * n_columns, 6), height=2.2 * n_rows + 0.8) as figure:
        figure.suptitle("Training losses by epoch: mean over folds and seeds, band of one standard deviation")
        panels = figure.subplots(n_rows, n_columns, squeeze=False)
        for panel in panels.flat[len(by_panel) :]:
            panel.set_axis_off()
        if not by_panel:
            drawing.say_nothing(panels[0, 0], "no experiment has a training")
        for panel, ((experiment, term), own) in zip(panels.flat, by_panel.items(), strict=False):
            _draw_panel(panel, own)
            first = own[0]
            heading = f"{first['method']}, {layouts.DATASETS[first['dataset']]} ({first['source']})"
            panel.set_title(f"{heading}\n{experiment}", fontsize="small")
            panel.set_ylabel(term, fontsize="small")
            panel.set_xlabel("epoch", fontsize="small")
            panel.tick_params(labelsize="small")
            panel.grid(alpha=0.3)


def _draw_panel(panel: Any, own: Sequence[dict[str, Any]]) -> None:
    """Draw the settings and spaces of one experiment's term."""
    from matplotlib import colormaps

    curves: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in own:
        curves.setdefault((row["setting"], row["space"]), []).append(row)
    for number, ((setting, space), curve) in enumerate(curves.items()):
        epochs = [row["epoch"] for row in curve]
        value, deviation = (np.array([float(row[name]) for row in curve]) for name in ("value", "std"))
        # A sweep goes from dark to light; its first and last settings are named where there are many.
        colour = drawing.COLOURS[0] if len(curves) == 1 else colormaps["viridis"](0.9 * number / (len(curves) - 1))
        named = len(curves) <= NAMED or number in (0, len(curves) - 1)
        label = ", ".join(filter(None, (setting, space))) if named else None
        panel.plot(epochs, value, color=colour, linewidth=1.2, linestyle=drawing.DASHES[number % 3], label=label)
        panel.fill_between(epochs, value - deviation, value + deviation, color=colour, alpha=0.15, linewidth=0)
    if len(curves) > 1:
        panel.legend(fontsize=6, frameon=False, title=f"{len(curves)} curves" if len(curves) > NAMED else None,
                     title_fontsize=6)  # fmt: skip


def _by_experiment(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.key, []).append(run)
    return found
