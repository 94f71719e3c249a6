"""Whether the runs that params.yaml marks find more than others do.

**Conventions.** Under ``report.above`` stand, by experiment, those that it must be above: in each direction that both
have, or (``mean``) as the mean of them, in the measure of the orderings (MAP where several items may be right, else
R@1) or the one that is named, as a mean over all seeds and parts. It *holds* where that difference is above 0; where
``interval`` is asked for, where its 95 % interval is. That interval is the t interval of the differences in pairs of
seed and part; of the mean of directions on items with classes the one of `unisono.report.paired`. What an oracle
that knows the kinds of items alone would score is another thing to be above, in the directions that ``oracle`` names.
The table is what ``.ci/compare.py`` fails on.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from unisono.config.report import Above
from unisono.report import orderings, paired, tables
from unisono.store.results import Run, directions

COLUMNS = (
    "run", "over", "direction", "source", "required", "verdict", "measure", "value", "other", "difference", "low",
    "high", "n_parts",
)  # fmt: skip

#: The direction of the mean of all.
MEAN = "mean"


def judge(runs: Iterable[Run], marks: Mapping[str, Above]) -> list[dict[str, Any]]:
    """Compare what is marked with what it must be above.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
        Of all experiments.
    marks : mapping of str to unisono.config.report.Above
        By experiment those that it must be above.

    Returns
    -------
    list of dict
        A row for every pair and direction; keys are `COLUMNS`, numbers are fractions. A pair that was not run, or has
        no direction or no part in common, is a row with the verdict ``"not run"``.

    Raises
    ------
    DataError
        The parts, or the embeddings, of a run are missing.
    """
    known = {run.key: run for run in runs if not run.result.get("setting")}
    found = []
    for key, mark in marks.items():
        sides: list[tuple[str, list[dict[str, Any]]]] = []
        for other in mark.over:
            there = key in known and other in known
            sides.append((other, _rows(known[key], known[other], mark) if there else []))
        if mark.oracle:
            sides.append((tables.ORACLE, _over_oracle(known[key], mark) if key in known else []))
        for other, rows in sides:
            blank = dict.fromkeys(COLUMNS, "") | {"run": key, "over": other, "required": "yes", "verdict": "not run"}
            found += [blank | row for row in rows or [{}]]
    return found


def _rows(run: Run, other: Run, mark: Above) -> list[dict[str, Any]]:
    """Compare two runs in each direction, or in the mean of all."""
    measure = mark.measure or orderings.measure(run)
    ours, theirs = run.parts(measure), other.parts(measure)
    both = [part for part in ours if part in theirs]
    names = ["->".join(pair) for pair in directions(run.result)]
    rows = []
    for direction, own in [(MEAN, names)] if mark.mean else [(name, [name]) for name in names]:
        values = [
            (statistics.fmean(ours[part][name] for name in own), statistics.fmean(theirs[part][name] for name in own))
            for part in both
            if all(name in ours[part] and name in theirs[part] for name in own)
        ]
        if values:
            rows.append(_row(run, direction, measure, values, mark))
            if mark.mean and measure == "map":
                mean, low, high = paired.difference(run, other)
                rows[-1] |= {"difference": mean, "low": low, "high": high, "verdict": _verdict(mean, low, mark)}
    return rows


def _over_oracle(run: Run, mark: Above) -> list[dict[str, Any]]:
    """Compare a run with what an order scores that knows the kinds of items alone."""
    measure = mark.measure or orderings.measure(run)
    parts = run.parts(measure)
    rows = []
    for direction in mark.oracle:
        level = run.result.get(direction, {}).get("oracle", {}).get(measure)
        if level is not None:
            rows.append(_row(run, direction, measure, [(part[direction], level) for part in parts.values()], mark))
    return rows


def _row(run: Run, direction: str, measure: str, values: list[tuple[float, float]], mark: Above) -> dict[str, Any]:
    differences = [first - second for first, second in values]
    low, high = orderings.interval(differences)
    mean = statistics.fmean(differences)
    return {
        "direction": direction, "source": run.result["source"], "verdict": _verdict(mean, low, mark),
        "measure": measure, "value": statistics.fmean(first for first, _ in values),
        "other": statistics.fmean(second for _, second in values), "difference": mean, "low": low, "high": high,
        "n_parts": len(values),
    }  # fmt: skip


def _verdict(mean: float, low: float, mark: Above) -> str:
    return "holds" if (low if mark.interval else mean) > 0 else "contradicted"


def write(runs: Iterable[Run], marks: Mapping[str, Above], folder: Path) -> None:
    """Write ``above.csv``; see `judge`."""
    tables.write_csv(folder / "above.csv", COLUMNS, map(tables.rounded, judge(runs, marks)))
