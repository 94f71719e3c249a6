"""Whether the runs that params.yaml marks find more than chance does.

**Conventions.** A run is marked for one direction or for all, under ``report.above_chance``. It is judged on the
measure of the orderings (MAP where items have classes, else R@1), by the 95 % t interval of its mean over all seeds and
folds: it *holds* where the lower end is above chance. The interval is computed on the scale arcsin sqrt(x) [1]_, on
which a fraction varies alike wherever it lies; else three values of .15, .27 and .36 would allow for less than 0. The
table is what ``.ci/compare.py`` fails on.

References
----------
.. [1] Anscombe: The transformation of Poisson, binomial and negative-binomial data. Biometrika 35 (1948).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.report import orderings, tables
from unisono.store.results import Run, directions

COLUMNS = (
    "run", "direction", "source", "required", "verdict", "measure", "value", "low", "high", "chance", "n_parts",
)  # fmt: skip

#: The key of ``report.above_chance`` under which runs stand that are marked for each of their directions.
ALL = "all"


def judge(runs: Iterable[Run], marks: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Compare what is marked with chance.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
        Of all experiments.
    marks : mapping of str to sequence of str
        By direction (``"audio->sheet"``, or `ALL`), names of runs: an experiment with all its settings, or one of them
        (``"vegas_tnn_selection/triplets=batch_hard"``, as in ``results/metrics.json``).

    Returns
    -------
    list of dict
        A row for every marked direction, in the order of the runs; keys are `COLUMNS`, numbers are fractions. A mark
        of no run, or of a direction that its run does not have, is a row with the verdict ``"not run"``.

    Raises
    ------
    DataError
        The parts of a run are missing.
    """
    marked = {(direction, name): False for direction, names in marks.items() for name in names}
    found = []
    for run in runs:
        name, measure = tables.headline_name(run.key, run.result), orderings.measure(run)
        for query, target in directions(run.result):
            direction = f"{query}->{target}"
            here = [(mark, own) for mark in (ALL, direction) for own in (run.key, name) if (mark, own) in marked]
            if here:
                marked |= dict.fromkeys(here, True)
                values = [values[direction] for values in run.parts(measure).values()]
                chance = float(run.result[direction]["chance"][measure])
                low, high = interval(values)
                found.append({
                    "run": name, "direction": direction, "source": run.result["source"], "required": "yes",
                    "verdict": "holds" if low > chance else "not above chance", "measure": measure,
                    "value": statistics.fmean(values), "low": low, "high": high, "chance": chance,
                    "n_parts": len(values),
                })  # fmt: skip
    missing = [mark for mark, is_found in marked.items() if not is_found]
    blank = dict.fromkeys(COLUMNS, "") | {"required": "yes", "verdict": "not run"}
    return found + [blank | {"run": name, "direction": direction} for direction, name in missing]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Compute the 95 % interval of the mean of fractions on the scale arcsin sqrt(x); 0 to 1 for fewer than two values.

    Examples
    --------
    >>> low, high = interval([0.148, 0.27, 0.363])
    >>> round(low, 3), round(high, 3)
    (0.045, 0.559)
    """
    angles = [math.asin(math.sqrt(min(max(value, 0.0), 1.0))) for value in values]
    low, high = orderings.interval(angles)
    return math.sin(max(low, 0.0)) ** 2, math.sin(min(high, math.pi / 2)) ** 2


def write(runs: Iterable[Run], marks: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Write ``above_chance.csv``; see `judge`."""
    tables.write_csv(folder / "above_chance.csv", COLUMNS, map(tables.rounded, judge(runs, marks)))
