"""Compare the headline numbers of a run with the committed ones: ``compare.py EXPECTED ACTUAL``.

Training is deterministic on one machine; another processor rounds differently, and hundreds of
training steps amplify that into another seed's result: a median rank near chance moves by ten and more, the
MAP of a network by up to .08, its R@1 by .09. The tolerances say how far a measure may move before it is a
defect rather than rounding; methods that are solved in closed form have a narrow one of their own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

# measure -> (absolute, relative): a difference is accepted up to the larger of the two.
TOLERANCE = {
    "recall_at_1": (0.12, 0.0),
    "recall_at_5": (0.10, 0.0),
    "recall_at_10": (0.10, 0.0),
    "median_rank": (3.0, 0.4),
    "mean_rank": (2.0, 0.25),
    "map": (0.10, 0.0),
}
# MAP of these, on features that no training touches or hardly.
CLOSED_FORMS = {"cca", "kcca", "c_cca", "c_kcca", "multi_view"}
CLOSED_FORM = (0.03, 0.0)


def leaves(tree: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], float]:
    """Return every number of a nested mapping by its path."""
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in leaves(value, (*path, str(key))).items()}
    return {path: float(tree)}  # type: ignore[arg-type]


def main() -> int:
    """Print every difference beyond its tolerance; exit status 1 if there is one."""
    expected, actual = (leaves(json.loads(Path(name).read_text(encoding="utf-8"))) for name in sys.argv[1:3])
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    models = {key: entry["model"] for key, entry in params["experiments"].items()}
    faults = [f"{'/'.join(path)}: missing" for path in expected.keys() - actual.keys()]
    faults += [f"{'/'.join(path)}: new, not in the committed file" for path in actual.keys() - expected.keys()]
    largest: dict[str, float] = {}
    for path in sorted(expected.keys() & actual.keys()):
        closed = path[-1] == "map" and models.get(path[0].split("/")[0]) in CLOSED_FORMS
        absolute, relative = CLOSED_FORM if closed else TOLERANCE.get(path[-1], (0.0, 0.0))
        difference = abs(actual[path] - expected[path])
        largest[path[-1]] = max(largest.get(path[-1], 0.0), difference)
        if not difference <= max(absolute, relative * abs(expected[path])):
            faults.append(f"{'/'.join(path)}: {actual[path]:g}, committed {expected[path]:g}")
    print(
        f"compared {len(expected)} numbers; largest differences: "
        + (", ".join(f"{name} {value:.3g}" for name, value in sorted(largest.items())) or "none")
    )
    for fault in sorted(faults):
        print(f"metrics differ: {fault}")
    if not expected:
        print("metrics differ: nothing to compare")
    return int(bool(faults) or not expected)


if __name__ == "__main__":
    raise SystemExit(main())
