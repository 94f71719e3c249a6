"""What a division claims: the same method on data that are dealt in another way (figure of songs by song and by file).

**Conventions.** Under ``report.figures.songs_divisions`` stand the experiments that are compared, each a group of bars;
whiskers are the deviation over deals, dotted lines chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.report import drawing, layouts, tables
from unisono.store.results import Run, directions

NUMBER = "songs_divisions"
TITLE = "What splitting by file would claim: songs found by their words, and words by their song"
#: Colours of bars, on which the line of chance is seen.
PALE = ("#B9D9EB", "#F6C9A8", "#BFE3D0")
#: Measures that are drawn.
SHOWN = ("mrr", "recall_at_1", "recall_at_10")


def rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Collect the numbers of the figure.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.

    Returns
    -------
    list of dict
        Keys are `unisono.report.tables.COLUMNS`; ``setting`` is the division, ``song`` the usual one.
    """
    place = f"fig{NUMBER}"
    found = []
    for run in sorted((run for run in runs if place in run.places), key=lambda run: run.places[place]):
        for query, target in directions(run.result):
            scores = run.result[f"{query}->{target}"]
            found += [
                {"table": place, "dataset": run.result["dataset"], "method": run.title,
                 "setting": run.experiment.division or "song", "query": query, "target": target,
                 "metric": tables.MEASURES[name][0], "value": f"{scores[name]:.6g}",
                 "std": f"{scores[f'{name}_std']:.6g}", "published": "", "source": run.result["source"],
                 "n_items": run.result["n_items"], "pool": scores["pool"], "chance": f"{scores['chance'][name]:.6g}"}
                for name in SHOWN
                if name in scores
            ]  # fmt: skip
    return found


def write(runs: Sequence[Run], *, tables_folder: Path, figures: Path) -> None:
    """Write the figure as PNG and SVG, and its numbers as CSV.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    tables_folder, figures : Path
        Folders for ``figure_songs_divisions.csv`` and for the pictures.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    found = rows(runs)
    tables.write_csv(tables_folder / f"figure_{NUMBER}.csv", tables.COLUMNS, found)
    drawing.drawn(figures / f"figure_{NUMBER}", _draw, TITLE, found)


def _draw(title: str, found: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Draw a panel for each direction, and in it a group of bars for each measure."""
    pairs = list(dict.fromkeys((row["query"], row["target"]) for row in found)) or [("", "")]
    settings = list(dict.fromkeys(row["setting"] for row in found))
    with drawing.canvas(out, width=4.4 * len(pairs), height=4.2) as figure:
        about = dict.fromkeys(f"{layouts.DATASETS[row['dataset']]}, source {row['source']}" for row in found)
        figure.suptitle("\n".join([title, "; ".join(about)]), fontsize="medium")
        axes = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
        if not found:
            drawing.say_nothing(axes[0], f"no experiment stands in report.figures.{NUMBER}")
        for (query, target), panel in zip(pairs, axes, strict=True):
            own = [row for row in found if (row["query"], row["target"]) == (query, target)]
            measures = list(dict.fromkeys(row["metric"] for row in own))
            width = 0.8 / max(len(settings), 1)
            for number, setting in enumerate(settings):
                bars = [row for row in own if row["setting"] == setting]
                at = [measures.index(row["metric"]) - 0.4 + (number + 0.5) * width for row in bars]
                heights, whiskers = ([100 * float(row[name]) for row in bars] for name in ("value", "std"))
                panel.bar(at, heights, width, yerr=whiskers, capsize=3, label=f"by {setting}",
                          color=PALE[number % 3],
                          edgecolor="black", hatch=("", "//")[number % 2])  # fmt: skip
                for place, row in zip(at, bars, strict=True):
                    span = [place - width / 2, place + width / 2]
                    panel.plot(span, [100 * float(row["chance"])] * 2, **dict(drawing.CHANCE, color="black", zorder=5))
            panel.set_xticks(range(len(measures)), [tables.title_of(name) for name in measures])
            panel.set_title(drawing.arrow(f"{query}->{target}"))
            panel.grid(axis="y", alpha=0.3)
        axes[0].set_ylabel("per cent (dotted: chance)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
