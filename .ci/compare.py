"""Compare a run with the committed one: ``compare.py EXPECTED ACTUAL``, both a folder ``results``.

It fails when

- a required row of ``tables/orderings.csv``, ``tables/above_chance.csv`` or ``tables/above.csv`` does not hold, or is
  not there any more;
- a number of ``metrics.json`` is missing, is new, or differs by more than its tolerance.

The tolerance of a number is the sum of what another machine's arithmetic may do to its method, and of what training
its features anew does to it:

- ``.ci/arithmetic.json`` has the first, for methods and extractors whose bytes cannot be pinned:
  ``{"methods": {<method>: {<measure>: allowed}}, "numbers": {<run>: {<direction>: {<measure>: allowed}}}}``, the second
  for what an extractor does to one number. Elsewhere it is 1e-4.
- ``.ci/spread.json`` has the second, ``{<run>: {<direction>: {<measure>: range}}}``, from `measure_spread.py`.

Those of ranks are relative. No tolerance is wider than `CAP`, which alone counts for a number without a measured range.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

#: measure -> (absolute, relative): the larger of the two.
CAP = {
    "recall_at_1": (0.12, 0.0),
    "recall_at_5": (0.10, 0.0),
    "recall_at_10": (0.10, 0.0),
    "median_rank": (3.0, 0.4),
    "mean_rank": (2.0, 0.25),
    "map": (0.10, 0.0),
    "mrr": (0.06, 0.0),
}
#: MAP of these, on features that no training touches or hardly.
CLOSED_FORMS = {"cca", "kcca", "c_cca", "c_kcca", "multi_view"}
CLOSED_FORM = (0.03, 0.0)

#: What equal arithmetic may still do to a number.
ARITHMETIC = 1e-4
#: Digits of ``metrics.json``: two numbers that round differently are one apart in the last.
STEP = {"rank": 0.01, "": 1e-4}

TABLES = ("orderings.csv", "above_chance.csv", "above.csv")
#: The columns that say which row it is.
NAMES = ("dataset", "ordering", "run", "over", "direction")

Path_ = tuple[str, ...]


def leaves(tree: object, path: Path_ = ()) -> dict[Path_, float]:
    """Return every number of a nested mapping by its path."""
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in leaves(value, (*path, str(key))).items()}
    return {path: float(tree)}  # type: ignore[arg-type]


def read(path: Path) -> dict[Path_, float]:
    """Read the numbers of a JSON file; none where there is no such file."""
    return leaves(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def tolerance(
    path: Path_,
    expected: float,
    model: str | None,
    arithmetic: Mapping[Path_, float],
    spread: Mapping[Path_, float],
) -> float:
    """Say how far a number may be from the committed one.

    Parameters
    ----------
    path : tuple of str
        Run, direction, measure.
    expected : float
        The committed number.
    model : str or None
        The run's method.
    arithmetic, spread : mapping of tuple of str to float
        Of the two files.
    """
    measure = path[-1]
    closed = measure == "map" and model in CLOSED_FORMS
    absolute, relative = CLOSED_FORM if closed else CAP.get(measure, (0.0, 0.0))
    cap = max(absolute, relative * abs(expected))
    if path not in spread:
        return cap
    numbers = arithmetic.get(("numbers", *path), 0.0)
    allowed = max(arithmetic.get(("methods", str(model), measure), ARITHMETIC), numbers) + spread[path]
    is_rank = "rank" in measure
    # A number that is rounded moves by whole steps, and no step is exact.
    return min(cap, max(allowed * (abs(expected) if is_rank else 1.0), STEP["rank" if is_rank else ""]) + 1e-9)


def required(folder: Path) -> dict[str, str]:
    """Read the verdicts of all required rows, by what they claim."""
    found = {}
    for name in TABLES:
        path = folder / "tables" / name
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    if row["required"] == "yes":
                        claim = " ".join(row[column] for column in NAMES if row.get(column))
                        # Which methods are worst and best may change, the claim does not.
                        found[f"{name}: {claim.partition(' (here')[0]}"] = row["verdict"]
    return found


def faults(expected: Path, actual: Path, params: Mapping[str, Any], ci: Path) -> list[str]:
    """List what is wrong with a run, one line each."""
    models = {key: entry["model"] for key, entry in params["experiments"].items()}
    arithmetic, spread = read(ci / "arithmetic.json"), read(ci / "spread.json")
    claims, verdicts = required(expected), required(actual)
    found = [f"{claim}: required, and not in the new table" for claim in claims.keys() - verdicts.keys()]
    found += [f"{claim}: required, and {verdict}" for claim, verdict in verdicts.items() if verdict != "holds"]
    before, after = read(expected / "metrics.json"), read(actual / "metrics.json")
    found += [f"{'/'.join(path)}: missing" for path in before.keys() - after.keys()]
    found += [f"{'/'.join(path)}: new, not in the committed file" for path in after.keys() - before.keys()]
    for path in before.keys() & after.keys():
        allowed = tolerance(path, before[path], models.get(path[0].split("/")[0]), arithmetic, spread)
        if not abs(after[path] - before[path]) <= allowed:
            found.append(f"{'/'.join(path)}: {after[path]:g}, committed {before[path]:g}, allowed {allowed:.2g}")
    if not claims:
        found.append("no required rows in the committed tables")
    if not before:
        found.append("nothing to compare")
    both = before.keys() & after.keys()
    largest = {path[-1]: 0.0 for path in sorted(both)}
    for path in both:
        largest[path[-1]] = max(largest[path[-1]], abs(after[path] - before[path]))
    print(
        f"compared {len(before)} numbers ({len(before.keys() - spread.keys())} without a measured spread) and "
        f"{len(claims)} claims; largest differences: "
        + (", ".join(f"{name} {value:.3g}" for name, value in sorted(largest.items())) or "none")
    )
    return sorted(found)


def main() -> int:
    """Print every fault; exit status 1 if there is one."""
    if len(sys.argv) != 3:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    found = faults(Path(sys.argv[1]), Path(sys.argv[2]), params, Path(__file__).parent)
    for fault in found:
        print(f"results differ: {fault}")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
