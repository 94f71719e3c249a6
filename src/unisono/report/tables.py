"""Result tables: as rows for a program (CSV) and in the dissertation's layout for a reader (Markdown).

**Conventions.** Which experiments stand in a table is read from ``params.yaml``, never from what lies in a
folder. CSV values are fractions; Markdown shows recall and precision in per cent, as the dissertation does.
Every table names the source of its data, the weights of its features, the size of the pool and the chance
level.
"""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.errors import DataError
from unisono.io.files import replacing

#: Columns of a result table: those of the published numbers, and what ours add.
COLUMNS = (
    "table", "dataset", "method", "setting", "query", "target", "metric", "value",
    "std", "published", "source", "n_items", "pool", "chance",
)  # fmt: skip

#: Our names of measures, and how the published numbers and the Markdown tables call them.
MEASURES = {
    "map": ("map", "MAP"),
    "recall_at_1": ("recall@1", "R@1"),
    "recall_at_5": ("recall@5", "R@5"),
    "recall_at_10": ("recall@10", "R@10"),
    "median_rank": ("median_rank", "MedR"),
    "mean_rank": ("mean_rank", "MeanR"),
}

#: Measures that stand in ``results/metrics.json``.
HEADLINES = ("map", "recall_at_1", "recall_at_10", "median_rank")

TITLES = {"6.2": "Cross-modal retrieval on the musical ternary data set: the pair of an item in six directions"}

#: What has to be said with a published table (the dissertation's own contradictions).
NOTES = {
    "6.2": (
        "The dissertation does not state its pool. Its Random row (median rank about 7,312) fits a pool of "
        "about 14,600; its model's audio-lyrics rows (about 716) are the chance median of a pool of 1,430.",
        "The published Random R@1 of 2.8 % cannot be chance for one relevant item (0.007 % in that pool); "
        "the published Random R@10 lies above the published model's between audio and lyrics (7.6 % against "
        "6.3 %).",
        "`sheet=sheet_plain`: sheet music printed without its lyrics. With them under the staff, finding lyrics by "
        "sheet music and back is partly reading text.",
        "Lyrics-to-sheet and sheet-to-lyrics are exchanged between the published tables 6.2 and 6.3.",
        "The published sample counts (14,454, and a split of 19,135) contradict each other.",
        "Deviation over seeds: each seeds the method and deals the held-out songs anew into validation and "
        "test. Training songs are the same throughout, since features are learned from them.",
    )
}


@functools.cache
def published() -> tuple[dict[str, str], ...]:
    """Read the dissertation's numbers: one dict per number, with the columns of ``published.csv``."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def read_results(experiments: Iterable[str], folder: Path) -> dict[str, dict[str, Any]]:
    """Read the metrics of experiments.

    Parameters
    ----------
    experiments : iterable of str
        Keys of params.yaml.
    folder : Path
        Holds ``<key>/metrics.json``.

    Returns
    -------
    dict of str to dict
        In the given order.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    results = {}
    for key in experiments:
        path = folder / key / "metrics.json"
        try:
            results[key] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; run `dvc repro` so that experiment {key!r} is there") from None
        except ValueError as error:
            raise DataError(f"{path}: not JSON ({error}); run experiment {key!r} again") from None
    return results


def directions(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the (query, target) pairs of an experiment, in its own order."""
    pairs = (key.split("->") for key in result if "->" in key)
    return [(query, target) for query, target in pairs]


def rows(number: str, experiments: Mapping[str, Any], results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Collect a table's numbers.

    Parameters
    ----------
    number : str
        The dissertation's number of the table, ``"6.2"``.
    experiments : mapping of str to unisono.config.experiments.Experiment
        Those of the table.
    results : mapping of str to dict
        Their metrics, from `read_results`.

    Returns
    -------
    list of dict
        Keys are `COLUMNS`; ``published`` is empty where the dissertation has no such number.
    """
    known = {_key(row): row["value"] for row in published()}
    found = []
    for key, experiment in experiments.items():
        result = results[key]
        for query, target in directions(result):
            scores = result[f"{query}->{target}"]
            for name, (metric, _) in MEASURES.items():
                if name not in scores:
                    continue
                row = {
                    "table": number,
                    "dataset": result["dataset"],
                    "method": experiment.title,
                    "setting": setting(experiment),
                    "query": query,
                    "target": target,
                    "metric": metric,
                }
                row |= {
                    "value": f"{scores[name]:.6g}",
                    "std": f"{scores[f'{name}_std']:.6g}",
                    "published": known.get(_key(row), ""),
                    "source": result["source"],
                    "n_items": result["n_items"],
                    "pool": scores["pool"],
                    "chance": f"{scores['chance'][name]:.6g}",
                }
                found.append(row)
    return found


def to_markdown(number: str, found: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> str:
    """Lay a table of rank measures out in the dissertation's order of directions and measures.

    One block of rows per direction: ours, chance, then the published methods (the dissertation puts the methods
    side by side, which with more than two of them no page is wide enough for).

    Parameters
    ----------
    number : str
    found : sequence of mapping
        From `rows`.
    results : mapping of str to dict
        Metrics of the table's experiments, for the notes.

    Returns
    -------
    str
    """
    reference = [row for row in published() if row["table"] == number]
    order = list(dict.fromkeys((row["query"], row["target"]) for row in [*reference, *found]))
    measures = [name for name in MEASURES if any(row["metric"] == MEASURES[name][0] for row in found)]
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in found:
        name = row["method"] + (f" ({row['setting']})" if row["setting"] else "")
        cells.setdefault((row["query"], row["target"], name), {})[row["metric"]] = _cell(
            row["metric"], row["value"], row["std"]
        )
    for row in found:
        at = (row["query"], row["target"], f"*chance in a pool of {row['pool']}*")
        cells.setdefault(at, {})[row["metric"]] = _cell(row["metric"], row["chance"])
    for row in reference:
        at = (row["query"], row["target"], f"*D: {row['method']}*")
        cells.setdefault(at, {})[row["metric"]] = _cell(row["metric"], row["value"])

    lines = [
        ["Direction", "Method", *(MEASURES[name][1] for name in measures)],
        [":--", ":--", *["--:"] * len(measures)],
    ]
    for query, target in order:
        block = [(name, values) for (q, t, name), values in cells.items() if (q, t) == (query, target)]
        for position, (name, values) in enumerate(block):
            first = f"**{query} → {target}**" if position == 0 else ""
            lines.append([first, name, *(values.get(MEASURES[measure][0], "") for measure in measures)])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    title = f"# Table {number}: {TITLES.get(number, '')}".rstrip(": ")
    notes = "\n".join(f"- {note}" for note in [*_facts(results), *NOTES.get(number, ())])
    return f"{title}\n\n{table}\n\n{notes}\n"


def headlines(results: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Pick the numbers of ``results/metrics.json``: per experiment and direction, rounded to what is meant.

    Parameters
    ----------
    results : mapping of str to dict
        From `read_results`.

    Returns
    -------
    dict of str to dict of str to dict of str to float
        Fractions with four digits, ranks with two.
    """
    return {
        key: {
            f"{query}->{target}": {
                name: round(float(scores[name]), 2 if "rank" in name else 4)
                for name in HEADLINES
                if name in (scores := result[f"{query}->{target}"])
            }
            for query, target in directions(result)
        }
        for key, result in results.items()
    }


def write_tables(experiments: Mapping[str, Any], folder: Path, tables: Path, metrics: Path) -> None:
    """Write every table of `experiments`, and the headline numbers.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
        All of params.yaml; each stands in the table it names, or in none.
    folder : Path
        Results of the experiments.
    tables : Path
        Folder for ``table_6_2.csv`` and ``table_6_2.md``, likewise for other numbers.
    metrics : Path
        JSON file for the headline numbers.

    Raises
    ------
    DataError
        An experiment has not been run, or a file cannot be written.
    """
    results = read_results(experiments, folder)
    for number in sorted({experiment.table for experiment in experiments.values()} - {""}):
        entries = {key: entry for key, entry in experiments.items() if entry.table == number}
        found = rows(number, entries, results)
        path = tables / f"table_{number.replace('.', '_')}.csv"
        write_csv(path, COLUMNS, found)
        with replacing(path.with_suffix(".md")) as temporary:
            text = to_markdown(number, found, {key: results[key] for key in entries})
            temporary.write_text(text, encoding="utf-8")
    with replacing(metrics) as temporary:
        temporary.write_text(json.dumps(headlines(results), indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], found: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; the file appears complete or not at all.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Header, and keys of the rows.
    found : iterable of mapping
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell which published number a row is to be compared with."""
    return tuple(row[name] for name in ("table", "dataset", "method", "setting", "query", "target", "metric"))


def setting(experiment: Any) -> str:
    """Describe what an experiment changes against its method's usual setting (``"sheet=sheet_plain"``, or empty)."""
    changes = {**experiment.views, **experiment.params}
    return ";".join(f"{name}={value}" for name, value in changes.items())


def _cell(metric: str, value: str, std: str | None = None) -> str:
    """Format a number: fractions in per cent, ranks as they are."""
    scale, digits = (1, 1) if "rank" in metric else (100, 2)
    text = f"{float(value) * scale:.{digits}f}"
    return text if std is None else f"{text} ± {float(std) * scale:.{digits}f}"


def _facts(results: Mapping[str, Any]) -> list[str]:
    """Say what the numbers were computed from, once for all experiments that share it."""
    shared: dict[str, list[str]] = {}
    for key, result in results.items():
        weights = ", ".join(f"{view} {kind}" for view, kind in result["weights"].items() if kind)
        pools = sorted({result[f"{query}->{target}"]["pool"] for query, target in directions(result)})
        dropped = sum(result["n_dropped"].values())
        fact = (
            f"source **{result['source']}**, {result['n_items']} items"
            + (f" ({dropped} more lack a view)" if dropped else "")
            + (f", {result['n_train']} of them for training" if result["n_train"] else "")
            + f", pool {', '.join(map(str, pools))}, "
            + (f"{result['n_folds']} folds, " if result["n_folds"] > 1 else "")
            + f"{result['n_seeds']} seeds from {result['seed']}"
            + (f"; feature weights: {weights}" if weights else "")
            + "."
        )
        shared.setdefault(fact, []).append(f"`{key}`")
    return [
        "R@k and MAP in per cent, mean ± standard deviation; MedR and MeanR are ranks, 1 is best. "
        "*D*: published in the dissertation, on other data; not to be compared unless the source is its own.",
        *(f"{', '.join(keys)}: {fact}" for fact, keys in shared.items()),
    ]
