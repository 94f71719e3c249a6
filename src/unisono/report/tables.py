"""Results as rows: put the published numbers beside what the experiments gave, write CSV.

**Conventions.** Which experiments stand in a table is read from ``params.yaml``. Values are fractions and ranks;
`unisono.report.layouts` turns them into per cents for a reader. Where items are of kinds, rows of two *controls* say
how much of a result the kinds explain: a method whose pairs are shuffled among the items of a kind (`SHUFFLED`), and an
oracle that knows the kind of each item and nothing else (`ORACLE`). The dissertation's tables have no such rows.
"""

from __future__ import annotations

import csv
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono import metrics
from unisono.io import text_tables
from unisono.io.files import replacing
from unisono.store.results import Run, directions, measures

#: Columns of a result table: those of the published numbers, and what ours add.
COLUMNS = (
    "table", "dataset", "method", "setting", "query", "target", "metric", "value",
    "std", "published", "source", "n_items", "pool", "chance",
)  # fmt: skip

#: A further column, where a number means little: why, as `unisono.metrics.too_easy` says.
REMARK = "remark"
#: What stands behind such a number.
MARK = "†"

#: Our names of measures, and how the published numbers and the Markdown tables call them.
MEASURES = {
    "map": ("map", "MAP"),
    "mrr": ("mrr", "MRR"),
    "recall_at_1": ("recall@1", "R@1"),
    "recall_at_5": ("recall@5", "R@5"),
    "recall_at_10": ("recall@10", "R@10"),
    "median_rank": ("median_rank", "MedR"),
    "mean_rank": ("mean_rank", "MeanR"),
}

#: Reciprocal ranks of the first item of a class, by the category of the class.
CLASS_MRR = "class_mrr_"
#: Tables of those.
BY_CATEGORY = frozenset({"songs_categories", "figsongs_categories_components"})
#: Controls: what a method's name gains, and a line of its own.
SHUFFLED = ", pairs shuffled within kinds"
ORACLE = "Oracle of the kinds"

#: How remarks begin of what is no candidate for the best.
ASIDE = ("told what", "divided otherwise")

#: Rank measures that stand in ``results/metrics.json``; of items with a class it is their MAP.
HEADLINES = ("mrr", "recall_at_1", "recall_at_10", "median_rank")

#: Hyper-parameters that the settings of the published tables name otherwise.
PARAMETERS = {"components": "n_components"}

#: A random choice of chunks, as a setting: ours alone, beside "k/chunks=1/3" of Table 4.1.
RANDOM_CHUNKS = "random k/chunks="


@functools.cache
def published() -> tuple[dict[str, str], ...]:
    """Read the dissertation's numbers: one dict per number, with the columns of ``published.csv``."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def standing(number: str, runs: Iterable[Run]) -> list[tuple[Run, str, str]]:
    """Pick the runs of a table, and name their settings as the table does.

    An experiment may stand in several tables; the order is that of the table's list. Of a sweep that it holds, a table
    shows the settings that the dissertation's shows, and those that no published table has. A method's usual run is
    shown at the published setting that its hyper-parameters are (``"triplets=batch-all"`` in Table 5.3).

    Parameters
    ----------
    number : str
        The dissertation's number of the table, ``"5.3"``.
    runs : iterable of Run

    Returns
    -------
    list of (Run, str, str)
        With the setting to print and the published setting to compare with.
    """
    known: dict[str, set[str]] = {}
    for row in published():
        known.setdefault(row["table"], set()).add(row["setting"])
    elsewhere = {name for table, names in known.items() if table != number for name in names} - {""}
    own = known.get(number, set())
    found = []
    for run in sorted((run for run in runs if number in run.places), key=lambda run: run.places[number]):
        if run.label.startswith(RANDOM_CHUNKS) or (run.label in elsewhere and run.label not in own):
            continue
        usual = "" if run.label else _usual_setting(number, run)
        found.append((run, run.setting or usual, run.label or usual))
    return found


def agrees(published_setting: str, params: Mapping[str, Any]) -> bool:
    """Say whether hyper-parameters are those of a published setting.

    Parameters
    ----------
    published_setting : str
        ``"triplets=batch-all"``; one without a value (``"mean"``, the whole audio, or "") is what every method does
        unless asked otherwise.
    params : mapping of str to object

    Returns
    -------
    bool
    """
    pairs = [part.split("=") for part in published_setting.split(";") if "=" in part]
    return all(str(params.get(PARAMETERS.get(name, name))) == value for name, value in pairs)


def rows(number: str, runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Collect a table's numbers.

    Parameters
    ----------
    number : str
        The dissertation's number of the table, ``"6.2"``.
    runs : iterable of Run
        From `read_results`; those of other tables are passed over.

    Returns
    -------
    list of dict
        Keys are `COLUMNS` and `REMARK`; ``published`` is empty where the dissertation has no such number.
    """
    known = {_key(row): row["value"] for row in published()}
    kinds = not is_published(number)
    found: list[dict[str, Any]] = []
    shuffled: list[dict[str, Any]] = []
    oracles: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run, shown, label in standing(number, runs):
        for query, target in directions(run.result):
            scores = run.result[f"{query}->{target}"]
            for name in class_measures(scores) if number in BY_CATEGORY else measures(scores, kinds=kinds):
                row = {
                    "table": number,
                    "dataset": run.result["dataset"],
                    "method": run.title,
                    "setting": shown,
                    "query": query,
                    "target": target,
                    "metric": MEASURES.get(name, (name,))[0],
                }
                row |= {
                    "value": f"{scores[name]:.6g}",
                    "std": f"{scores[f'{name}_std']:.6g}",
                    "published": known.get(_key(row | {"setting": label}), ""),
                    "source": run.result["source"],
                    "n_items": run.result["n_items"],
                    "pool": scores["pool"],
                    "chance": f"{scores['chance'][name]:.6g}",
                    REMARK: _aside(run) or metrics.too_easy(name, scores["chance"][name]),
                }
                found.append(row)
                if kinds and f"{name}_within" in scores:
                    left = {"value": f"{scores[f'{name}_within']:.6g}", "std": f"{scores[f'{name}_within_std']:.6g}"}
                    shuffled.append(row | left | {"method": run.title + SHUFFLED, "published": ""})
                if kinds and name in scores.get("oracle", {}):
                    level = {"value": f"{scores['oracle'][name]:.6g}", "std": "", "published": "", "setting": ""}
                    level[REMARK] = metrics.too_easy(name, scores["chance"][name])
                    oracles.setdefault((query, target, name, scores["pool"]), row | level | {"method": ORACLE})
    return [*found, *shuffled, *oracles.values()]


def is_published(number: str) -> bool:
    """Say whether the dissertation has a table, or a figure, of that number."""
    return number.removeprefix("fig")[:1].isdigit()


def _aside(run: Run) -> str:
    """Say that an experiment is told the answer, or, where its variants are not told apart by it, divided otherwise."""
    if run.is_told:
        return "told what the other lines must find out: not to be compared with them"
    division = run.experiment.division
    return (
        f"divided otherwise than the other lines (division: {division}): not to be compared with them"
        if division
        else ""
    )


def class_measures(scores: Mapping[str, Any]) -> list[str]:
    """List the measures of a direction by category."""
    return [name for name in scores if name.startswith(CLASS_MRR) and name in scores["chance"]]


def title_of(metric: str) -> str:
    """Name a measure of the tables for a reader.

    Examples
    --------
    >>> title_of("recall@1"), title_of("class_mrr_mode")
    ('R@1', 'MRR of the mode')
    """
    titles = dict(MEASURES.values())
    return titles.get(metric) or f"MRR of the {metric.removeprefix(CLASS_MRR).replace('_', ' ')}"


def in_order_of_measures(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the measures of some rows, in the order in which they are told."""
    present = dict.fromkeys(row["metric"] for row in found)
    known = [name for name, _ in MEASURES.values() if name in present]
    return [*known, *(name for name in present if name not in known)]


def is_control(row: Mapping[str, Any]) -> bool:
    """Say whether a row is no candidate for the best: it shows what else explains, is told, or is divided otherwise."""
    method = str(row["method"])
    return method == ORACLE or method.endswith(SHUFFLED) or str(row.get(REMARK, "")).startswith(ASIDE)


def with_remarks(found: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Name the columns of a table: `COLUMNS`, and `REMARK` where a number has one."""
    return (*COLUMNS, REMARK) if any(row[REMARK] for row in found) else COLUMNS


def footnotes(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say what `MARK` means behind the numbers of a table, each reason once."""
    return [f"{MARK} {remark}." for remark in dict.fromkeys(row.get(REMARK, "") for row in found) if remark]


def headline_name(key: str, result: Mapping[str, Any]) -> str:
    """Name a run as ``results/metrics.json`` does, by its experiment and, where it is one of several, its setting.

    DVC reads a dot as another level, hence ``"vegas_margin/margin=0_1_batches=500"``.
    """
    own = str(result.get("setting", ""))
    return "/".join(filter(None, (key, re.sub(r"[^0-9A-Za-z=]+", "_", own))))


def headlines(runs: Iterable[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """Pick the numbers of ``results/metrics.json``: per run and direction, rounded to what is meant.

    Parameters
    ----------
    runs : iterable of Run

    Returns
    -------
    dict of str to dict of str to dict of str to float
        By `headline_name`, then direction. Fractions with four digits, ranks with two.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for run in runs:
        name = headline_name(run.key, run.result)
        found[name] = {}
        for query, target in directions(run.result):
            scores = run.result[f"{query}->{target}"]
            found[name][f"{query}->{target}"] = {
                measure: round(float(scores[measure]), 2 if "rank" in measure else 4)
                for measure in measures(scores)
                if measure in ("map", *HEADLINES)
            }
    return found


def write_headlines(runs: Iterable[Run], path: Path) -> None:
    """Write `headlines` as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(headlines(runs), indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], found: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; the file appears complete or not at all.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Header, and keys of the rows.
    found : iterable of mapping
    """
    text_tables.write_csv(path, columns, ([row.get(column, "") for column in columns] for row in found))


def rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Format the floats of a row as the CSV tables print them."""
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}


def _usual_setting(number: str, run: Run) -> str:
    """Find the published setting of a table whose values a run's hyper-parameters have, or nothing."""
    labels = dict.fromkeys(
        row["setting"]
        for row in published()
        if (row["table"], row["dataset"], row["method"]) == (number, run.result["dataset"], run.title)
    )
    return next((label for label in labels if agrees(label, run.result["params"])), "")


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell which published number a row is to be compared with."""
    return tuple(row[name] for name in ("table", "dataset", "method", "setting", "query", "target", "metric"))
