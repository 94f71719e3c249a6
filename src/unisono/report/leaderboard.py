"""All methods on items with classes, ranked, each beside the best: what one should use.

**Conventions.** Under ``report.leaderboards`` stand, by the name of a table, the experiments in it. Within a data set
the best stands first. Differences to the best, with their interval, are those of `unisono.report.paired`; the best is
chosen on the same numbers that it is printed with, so that its lead is a little too large. Times of a fit are given by
powers of ten alone, since the table is in Git: exact ones are in ``results/timing``.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono import metrics, models
from unisono.errors import pass_machine
from unisono.io.files import replacing
from unisono.io.text_tables import Markup, bold, markdown, slanted
from unisono.report import layouts, notes, orderings, paired, tables
from unisono.store.results import Run, directions

COLUMNS = (
    "dataset", "source", "rank", "run", "method", "needs", "direction", "map", "std", "chance", "to_best", "low",
    "high", "n_parts", "pool", "fit_seconds", tables.REMARK,
)  # fmt: skip
#: The direction of the mean of all.
MEAN = "mean"

#: The leaderboards that have a title.
TITLES = {"beyond_class": "Which method to use where items have classes"}


def rows(runs: Iterable[Run], times: Path) -> list[dict[str, Any]]:
    """Rank runs within their data sets.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
        On items with classes. Of an experiment with variants each is ranked, but only the first has embeddings, and so
        a difference to the best.
    times : Path
        Folder of ``<key>.json``; what is missing there has no time.

    Returns
    -------
    list of dict
        Keys are `COLUMNS`; a row for each direction and for their mean, the best run first. Numbers are fractions.

    Raises
    ------
    DataError
        Parts or embeddings of a run are missing.
    """
    by_dataset: dict[str, list[Run]] = {}
    for run in runs:
        by_dataset.setdefault(run.result["dataset"], []).append(run)
    found = []
    for dataset, own in by_dataset.items():
        ranked = sorted(own, key=lambda run: -statistics.fmean(_by_part(run).values()))
        for rank, run in enumerate(ranked, start=1):
            parts = _by_part(run)
            apart = paired.difference(run, ranked[0]) if rank > 1 else None
            shared = {
                "dataset": dataset, "source": run.result["source"], "rank": rank, "run": run.key, "method": run.title,
                "needs": needs(run), "n_parts": len(parts), "fit_seconds": _seconds(run, times / f"{run.key}.json"),
            }  # fmt: skip
            scores = [run.result["->".join(pair)] for pair in directions(run.result)]
            chance = statistics.fmean(score["chance"]["map"] for score in scores)
            for pair, score in zip(directions(run.result), scores, strict=True):
                found.append(shared | {
                    "direction": "->".join(pair), "map": score["map"], "std": score["map_std"], "pool": score["pool"],
                    "chance": score["chance"]["map"],
                    tables.REMARK: metrics.too_easy("map", score["chance"]["map"]),
                })  # fmt: skip
            values = list(parts.values())
            found.append(shared | {
                "direction": MEAN, "map": statistics.fmean(values), "pool": scores[0]["pool"], "chance": chance,
                "std": statistics.stdev(values) if len(values) > 1 else 0.0,
                tables.REMARK: metrics.too_easy("map", chance),
            } | ({} if apart is None else {"to_best": apart.mean, "low": apart.low, "high": apart.high}))  # fmt: skip
    return found


def needs(run: Run) -> str:
    """Say what a method is told of the training items: their classes, which rows of two views are one, or both."""
    method = models.method(run.experiment.model)
    if not method.trained:
        return "nothing"
    return " and ".join(
        what for what, needed in (("labels", method.supervised), ("pairs", method.needs_pairs)) if needed
    )


def _by_part(run: Run) -> dict[tuple[int, int], float]:
    """Average the directions of every part."""
    return {part: statistics.fmean(values.values()) for part, values in run.parts("map").items()}


def _seconds(run: Run, path: Path) -> str:
    """Give the order of magnitude of the time of a fit; nothing where it is not known."""
    try:
        total = float(json.loads(path.read_text(encoding="utf-8"))["fit_s"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        pass_machine(error)
        return ""
    n_fits = run.result["n_folds"] * run.result["n_seeds"] + 1
    power = math.floor(math.log10(max(total / n_fits, 1e-9)))
    return "under 0.1" if power < -1 else f"{10.0**power:g} to {10.0 ** (power + 1):g}"


def write(runs: Sequence[Run], boards: Mapping[str, Sequence[str]], times: Path, folder: Path) -> None:
    """Write ``<name>.csv`` and ``<name>.md`` of every leaderboard.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    boards : mapping of str to sequence of str
        By name the keys of the experiments in it.
    times : Path
        See `rows`.
    folder : Path
        Of the tables.

    Raises
    ------
    DataError
        As `rows`, or a file cannot be written.
    """
    for name, keys in boards.items():
        own = [run for run in runs if run.key in keys]
        found = rows(own, times)
        tables.write_csv(folder / f"{name}.csv", COLUMNS, map(tables.rounded, found))
        with replacing(folder / f"{name}.md") as temporary:
            temporary.write_text(to_markdown(name, own, found), encoding="utf-8")


def to_markdown(name: str, runs: Sequence[Run], found: Sequence[Mapping[str, Any]]) -> str:
    """Lay a leaderboard out for a reader, one table per data set.

    Parameters
    ----------
    name : str
        Of the leaderboard.
    runs : sequence of unisono.store.results.Run
        Those in it.
    found : sequence of mapping
        From `rows`.

    Returns
    -------
    str
    """
    pieces = [f"# {title(name)}"]
    for dataset in dict.fromkeys(row["dataset"] for row in found):
        own = [row for row in found if row["dataset"] == dataset]
        pieces.append(f"## {layouts.DATASETS[dataset]} (source: {own[0]['source']})")
        heads = list(dict.fromkeys(row["direction"] for row in own))
        lines = [
            ["", "Method", "Needs", *(_head(head) for head in heads), "To the best", "95 %", "Folds", "Seconds a fit"]
        ]
        for rank in dict.fromkeys(row["rank"] for row in own):
            cells = {row["direction"]: row for row in own if row["rank"] == rank}
            mean = cells[MEAN]
            values = [
                Markup(layouts.format_value("map", cells[head]["map"], cells[head]["std"]) + _mark(cells[head]))
                for head in heads
            ]
            best = "to_best" not in mean
            lines.append([
                str(rank),
                Markup(bold(mean["method"])) if best else mean["method"],
                mean["needs"],
                *values,
                "" if best else f"{100 * mean['to_best']:+.2f}",
                "" if best else orderings.span(mean["low"], mean["high"]),
                str(mean["n_parts"]),
                mean["fit_seconds"],
            ])  # fmt: skip
        chances = {row["direction"]: layouts.format_value("map", row["chance"]) for row in own}
        lines.append(["", slanted("chance"), "", *(chances[head] for head in heads), "", "", "", ""])
        pieces.append(markdown(lines, "rll" + "r" * (len(lines[0]) - 3)))
    said = [
        *tables.footnotes(found),
        "*Needs*: what is told of the training items. Who needs labels and no pairs learns each view by itself, or the "
        "classes alone: such methods know no class that they were not trained on, and what of a class belongs together "
        "they cannot say.",
        "*To the best*: difference in points of the mean of both directions, query by query. The interval allows for "
        "other items, as queries and in the gallery, and for other folds; the best is chosen on the same numbers. "
        "Who was tested in fewer folds is compared in these alone.",
        "*tuned*: settings chosen anew in every fold, within its training part. All others have the settings of "
        "`params.yaml`, the same in every fold.",
        *notes.under(name, runs),
    ]
    return "\n\n".join(pieces) + "\n\n" + "\n".join(f"- {note}" for note in said) + "\n"


def title(name: str) -> str:
    """Name a leaderboard for a reader."""
    return TITLES.get(name, layouts.name(name))


def _head(direction: str) -> str:
    return "Mean" if direction == MEAN else direction.replace("->", " → ")


def _mark(row: Mapping[str, Any]) -> str:
    return tables.MARK if row.get(tables.REMARK) else ""
