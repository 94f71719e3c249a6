"""A measure against a setting: margin and number of batches (figure 5.8), components (figure 5.9), training songs.

**Conventions.** Rows are those of the result tables, with the published values beside ours. The dissertation's values
are of its own VEGAS; where the source is another, their curves compare in shape alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unisono.report import drawing, layouts, tables
from unisono.store.results import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Names of what is swept, as they stand in the settings of ``published.csv``.
AXES = {
    "margin": "margin",
    "batches": "batches in an epoch, in D\n(clips in a batch)",
    "components": "components",
    "k": "components",
    "training": "share of the training songs",
}


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes
    ----------
    table : str
        Whose numbers it shows.
    axis : str
        One of `AXES`.
    direction : str
        The only direction shown; empty for all, as lines.
    title : str
    metric : str
        The measure.
    """

    table: str
    axis: str
    direction: str
    title: str
    metric: str = "map"


def _both(table: str, axis: str, directions: tuple[str, str], metric: str = "map") -> tuple[Panel, ...]:
    return tuple(Panel(table, axis, direction, drawing.arrow(direction), metric) for direction in directions)


def _by_category(table: str, axis: str, directions: tuple[str, str], classes: Sequence[str]) -> tuple[Panel, ...]:
    return tuple(
        Panel(table, axis, direction, f"{name}, {drawing.arrow(direction)}", f"{tables.CLASS_MRR}{name}")
        for direction in directions
        for name in classes
    )


#: Panels of a figure side by side, at most.
ABREAST = 4

FIGURES: Mapping[str, tuple[str, tuple[Panel, ...]]] = {
    "5.8": (
        "MAP of TNN-C-CCA against its margin and its number of batches",
        (Panel("5.5", "margin", "", "margin (Table 5.5)"), Panel("5.6", "batches", "", "batches (Table 5.6)")),
    ),
    "5.9": (
        "MAP against the number of components",
        _both("fig5.9", "components", ("audio->visual", "visual->audio")),
    ),
    "songs_components": (
        "MRR of a song's own words, and of some words' own song, against the number of components",
        _both("figsongs_components", "k", ("audio->lyrics", "lyrics->audio"), "mrr"),
    ),
    "songs_categories_components": (
        "MRR of a song of the same class against the number of components",
        _by_category(
            "figsongs_categories_components",
            "k",
            ("audio->lyrics", "lyrics->audio"),
            ("collection", "language", "composer", "mode"),
        ),
    ),
    "songs_training": (
        "MRR of a song's own words, and of some words' own song, against the songs to train on",
        _both("figsongs_training", "training", ("audio->lyrics", "lyrics->audio"), "mrr"),
    ),
}


def write(runs: Sequence[Run], *, tables_folder: Path, figures: Path) -> None:
    """Write every figure, and its numbers.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    tables_folder : Path
        Folder for the numbers, ``figure_5_9.csv``; columns are `unisono.report.tables.COLUMNS`.
    figures : Path
        Folder for the pictures, ``figure_5_9.png`` and ``.svg``.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    for number, (title, panels) in FIGURES.items():
        name = f"figure_{number.replace('.', '_')}"
        found = rows(number, runs)
        tables.write_csv(tables_folder / f"{name}.csv", tables.COLUMNS, found)
        drawing.drawn(
            figures / name, _draw, f"Figure {number}: {title}" if number[0].isdigit() else title, panels, found
        )


def rows(number: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Collect the numbers of one figure: those of its tables whose setting says where they lie on the axis."""
    panels = FIGURES[number][1]
    shown = {(panel.table, panel.axis, panel.metric) for panel in panels}
    return [
        row
        for table, axis in dict.fromkeys((panel.table, panel.axis) for panel in panels)
        for row in tables.rows(table, runs)
        if _place(row["setting"], axis) is not None and (table, axis, row["metric"]) in shown
    ]


def label_of(panels: Sequence[Panel]) -> str:
    """Name what a figure's panels show: their measure, or what their measures have in common."""
    found = {tables.title_of(panel.metric) for panel in panels}
    return f"{found.pop() if len(found) == 1 else 'MRR of the class'} (%)"


def _place(setting: str, axis: str) -> float | None:
    """Read where a setting lies on an axis (``"margin=0.5;batches=300"``, batches: 300)."""
    values = dict(part.split("=", 1) for part in setting.split(";") if "=" in part)
    try:
        return float(values[axis])
    except (KeyError, ValueError):
        return None


def _draw(title: str, panels: Sequence[Panel], found: Sequence[Mapping[str, Any]], out: Path) -> None:
    shown = dict.fromkeys(f"{layouts.DATASETS[row['dataset']]}, source {row['source']}" for row in found)
    theirs = {panel.table for panel in panels} & {row["table"] for row in tables.published()}
    subtitle = "; ".join([*shown, *(["D: the dissertation's own VEGAS"] if theirs else [])])
    n_columns = min(len(panels), ABREAST)
    n_rows = -(-len(panels) // n_columns)
    with drawing.canvas(out, width=4.4 * n_columns, height=1.2 + 3.4 * n_rows) as figure:
        figure.suptitle(f"{title}\n{subtitle}")
        grid = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
        axes = [ax for row in grid for ax in row]
        handles: dict[str, Any] = {}
        for panel, ax in zip(panels, axes, strict=True):
            own = [row for row in found if (row["table"], row["metric"]) == (panel.table, panel.metric)]
            _draw_panel(panel, own, ax)
            handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        for row in grid:
            row[0].set_ylabel(label_of(panels))
        widest = max(map(len, handles), default=0)
        abreast = 4 if widest < 30 else n_columns
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=abreast, frameon=False)


def _draw_panel(panel: Panel, found: Sequence[Mapping[str, Any]], ax: Axes) -> None:
    """Draw ours with a band of one deviation, the dissertation's dashed, chance dotted."""
    ours = curves(panel, found)
    theirs = curves(panel, [row for row in tables.published() if row["table"] == panel.table])
    styles = drawing.line_styles([*theirs, *ours])
    if not ours:
        table = f"Table {panel.table}" if panel.table[0].isdigit() else panel.table
        ax.text(0.5, 0.02, f"no experiment stands in {table}", ha="center", transform=ax.transAxes)
    ticks: set[float] = set()
    for name, curve in ours.items():
        at = [place for place, _ in curve]
        ticks |= set(at)
        values, deviations = ([100 * float(row[column]) for _, row in curve] for column in ("value", "std"))
        style = styles[name] | {"linestyle": "-"}
        ax.plot(at, values, label=name, markersize=5, linewidth=1.6, **style)
        low, high = ([v + sign * d for v, d in zip(values, deviations, strict=True)] for sign in (-1, 1))
        ax.fill_between(at, low, high, color=style["color"], alpha=0.15, linewidth=0)
    for name, curve in theirs.items():
        at, values = [place for place, _ in curve], [100 * float(row["value"]) for _, row in curve]
        ticks |= set(at)
        style = styles[name] | {"linestyle": "--", "fillstyle": "none"}
        ax.plot(at, values, label=f"D: {name}", markersize=4, linewidth=1, **style)
    levels = [100 * float(row["chance"]) for curve in ours.values() for _, row in curve]
    if levels:
        ax.axhline(sum(levels) / len(levels), label="chance", **drawing.CHANCE)
    places = sorted(ticks)
    if panel.axis == "batches":
        sizes = [round(layouts.PUBLISHED_TRAINING / place) for place in places]
        shown = [f"{place:g}\n({size})" for place, size in zip(places, sizes, strict=True)]
        ax.set_xticks(places, shown, fontsize="x-small")
    else:
        ax.set_xticks(places)
    ax.set_xlabel(AXES[panel.axis])
    ax.set_title(panel.title)
    ax.set_ylim(0, None)
    ax.grid(alpha=0.3)


def curves(panel: Panel, found: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, Mapping[str, Any]]]]:
    """Sort rows of the panel's measure into lines: one per method, or per direction where the panel shows both."""
    curves: dict[str, list[tuple[float, Mapping[str, Any]]]] = {}
    for row in found:
        direction = f"{row['query']}->{row['target']}"
        place = _place(row["setting"], panel.axis)
        if row["metric"] != panel.metric or place is None or panel.direction not in ("", direction):
            continue
        curves.setdefault(row["method"] if panel.direction else drawing.arrow(direction), []).append((place, row))
    return {name: sorted(curve, key=lambda point: point[0]) for name, curve in curves.items()}
