"""Whether the runs that params.yaml marks find more than others do.

**Conventions.** Under ``report.above`` stands, by experiment, the experiments that it must be above: in each direction
that both have, in the measure of the orderings (MAP where several items may be right, else R@1), as a mean over all
seeds and parts. It *holds* where that difference is above 0. The 95 % t interval of the differences, in pairs of seed
and part, stands beside. The table is what ``.ci/compare.py`` fails on.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.report import orderings, tables
from unisono.store.results import Run, directions

COLUMNS = (
    "run", "over", "direction", "source", "required", "verdict", "measure", "value", "other", "difference", "low",
    "high", "n_parts",
)  # fmt: skip


def judge(runs: Iterable[Run], marks: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Compare what is marked with what it must be above.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
        Of all experiments.
    marks : mapping of str to sequence of str
        By experiment those that it must be above.

    Returns
    -------
    list of dict
        A row for every pair and direction; keys are `COLUMNS`, numbers are fractions. A pair that was not run, or has
        no direction or no part in common, is a row with the verdict ``"not run"``.

    Raises
    ------
    DataError
        The parts of a run are missing.
    """
    known = {run.key: run for run in runs if not run.result.get("setting")}
    found = []
    for key, others in marks.items():
        for other in others:
            rows = _rows(known[key], known[other]) if key in known and other in known else []
            blank = dict.fromkeys(COLUMNS, "") | {"run": key, "over": other, "required": "yes", "verdict": "not run"}
            found += [blank | row for row in rows or [{}]]
    return found


def _rows(run: Run, other: Run) -> list[dict[str, Any]]:
    """Compare two runs in each direction."""
    measure = orderings.measure(run)
    ours, theirs = run.parts(measure), other.parts(measure)
    both = [part for part in ours if part in theirs]
    rows = []
    for pair in directions(run.result):
        direction = "->".join(pair)
        values = [(ours[part][direction], theirs[part][direction]) for part in both if direction in theirs[part]]
        if not values:
            continue
        differences = [first - second for first, second in values]
        low, high = orderings.interval(differences)
        mean = statistics.fmean(differences)
        rows.append({
            "direction": direction, "source": run.result["source"], "verdict": "holds" if mean > 0 else "contradicted",
            "measure": measure, "value": statistics.fmean(first for first, _ in values),
            "other": statistics.fmean(second for _, second in values), "difference": mean, "low": low, "high": high,
            "n_parts": len(values),
        })  # fmt: skip
    return rows


def write(runs: Iterable[Run], marks: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Write ``above.csv``; see `judge`."""
    tables.write_csv(folder / "above.csv", COLUMNS, map(tables.rounded, judge(runs, marks)))
