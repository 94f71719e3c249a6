"""Measure how far each headline number moves when what lies upstream of it is made anew: ``.ci/spread.json``.

    python .ci/measure_spread.py                 # everything: about 75 minutes on two idle cores (estimated)
    python .ci/measure_spread.py mtm --times 5   # one data set; numbers of the others stay

Run it in a project whose default run is complete (``dvc repro``): built data and features are read from there, and
nothing in it but .ci/spread.json is written. Each time anew is made, in a copy of the tree,

- mtm: the skip-gram and ASMCMR encoders and the staff reader, trained with other seeds, and the features that they
  extract;
- vegas, mv10k: the features, moved by a millionth each, as another order of adding moves them: whitening and pooling
  have no seed, and the numbers of the extractors' networks are fixed;

then all experiments of the data set. The range of a number is the largest of the five less the smallest; that of a
rank is divided by its mean. Rounds that are finished are kept in .unisono/spread: an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parents[1]
SPREAD = ROOT / ".ci" / "spread.json"
WORK = ROOT / ".unisono" / "spread"

#: What is trained or extracted anew, as stages of dvc.yaml, and the parameters that seed it.
STAGES = {
    "mtm": (
        "train_skipgram", "extract_lyrics", "train_asmcmr", "extract_asmcmr", "train_staff_reader",
        "extract_staff_reader",
    ),
}  # fmt: skip
SEEDS = {"mtm": tuple(("mtm", "features", name) for name in ("skipgram", "asmcmr", "staff_reader"))}
#: What those stages write, which is not taken from the project.
MADE = {"mtm": ("models", "features/lyrics", "features/sheet", "features/sheet_plain", "features/sheet_plain_notes")}
#: Relative size of a rounding.
NOISE = 1e-6


def commands(tree: Path, stage: str) -> Iterator[str]:
    """Yield the commands of a stage of dvc.yaml."""
    entry = yaml.safe_load((tree / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]
    if "foreach" not in entry:
        yield entry["cmd"]
        return
    found: Any = yaml.safe_load((tree / "params.yaml").read_text(encoding="utf-8"))
    for part in entry["foreach"].strip("${}").split("."):
        found = found[part]
    for key in found:
        yield entry["do"]["cmd"].replace("${key}", key).replace("${item}", str(found[key]))


def noisy(array: pa.Array, generator: np.random.Generator) -> pa.Array:
    """Move every float of an array, however deep it lies."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(kind, noisy(array.storage, generator))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(noisy(array.flatten(), generator), type=kind)
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(array.offsets, noisy(array.values, generator), type=kind)
    if pa.types.is_floating(kind):
        values = array.to_numpy(zero_copy_only=False)
        moved = values * (1 + NOISE * generator.standard_normal(values.shape))
        return pa.array(moved.astype(values.dtype), type=kind)
    return array


def perturb(source: Path, target: Path, generator: np.random.Generator) -> None:
    """Copy a folder of Parquet files with every float moved."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            columns = [noisy(column.combine_chunks(), generator) for column in table.columns]
            pq.write_table(pa.table(columns, schema=table.schema), copy)
        elif path.is_file():
            shutil.copyfile(path, copy)


def plant(dataset: str, tree: Path) -> None:
    """Copy the code, and link the built data but for what is made anew."""
    shutil.rmtree(tree, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    built = ROOT / "data" / dataset
    if not (built / "features").is_dir():
        raise SystemExit(f"{built}/features: no such folder; run `dvc repro` first")
    made = {built / name for name in MADE.get(dataset, ("features",))}
    parents = {parent for path in made for parent in path.parents}
    todo = [built]
    while todo:
        for path in todo.pop().iterdir():
            link = tree / path.relative_to(ROOT)
            if path in parents:
                todo.append(path)
            elif path not in made:
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)


def run(tree: Path, command: str) -> None:
    """Run a command in the copy, as the pipeline would."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(command, shell=True, cwd=tree, env=environment, capture_output=True, text=True)  # noqa: S602
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


#: Prints the headline numbers of some experiments; run in the copy, with its code.
HEADLINES = """
import json, sys
from pathlib import Path
from unisono.store.results import read_results
from unisono.config.experiments import load_experiments
from unisono.config.report import Report
from unisono.report import tables
entries = {key: entry for key, entry in load_experiments().items() if entry.dataset == sys.argv[1]}
runs = read_results(entries, Report.load(), Path("results/experiments"))
Path(sys.argv[2]).write_text(json.dumps(tables.headlines(runs)))
"""


def measure(dataset: str, number: int, target: Path) -> None:
    """Make a data set's features and experiments anew, once, and write their headline numbers."""
    tree = WORK / "tree"
    mark = tree / "round.txt"
    # An interrupted round goes on with the fits that its copy keeps.
    if not mark.is_file() or mark.read_text() != f"{dataset} {number}":
        plant(dataset, tree)
        path = tree / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        for keys in SEEDS.get(dataset, ()):
            inner = params
            for key in keys:
                inner = inner[key]
            inner["seed"] = 1000 + number
        path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        for stage in STAGES.get(dataset, ()):
            for command in commands(tree, stage):
                run(tree, command)
        if dataset not in STAGES:
            folder = Path("data") / dataset / "features"
            perturb(ROOT / folder, tree / folder, np.random.default_rng(number))
        mark.write_text(f"{dataset} {number}")
    params = yaml.safe_load((tree / "params.yaml").read_text(encoding="utf-8"))
    keys = [key for key, entry in params["experiments"].items() if entry["dataset"] == dataset]
    run(tree, f"python -m unisono fit {' '.join(keys)}")
    (tree / "headlines.py").write_text(HEADLINES)
    run(tree, f"python headlines.py {dataset} headlines.json")
    shutil.copyfile(tree / "headlines.json", target)


def ranges(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Compute the range of every number over rounds."""
    found: dict[str, Any] = {}
    for run_name, directions in rounds[0].items():
        for direction, scores in directions.items():
            for name in scores:
                values = np.array([each[run_name][direction][name] for each in rounds])
                scale = values.mean() if "rank" in name else 1.0
                own = found.setdefault(run_name, {}).setdefault(direction, {})
                own[name] = round(float(np.ptp(values) / scale), 5)
    return found


def main() -> None:
    """Measure, round by round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", help="mtm, vegas, mv10k (default: all)")
    parser.add_argument("--times", type=int, default=5, help="how often (default: %(default)s)")
    args = parser.parse_args()
    legal = ("mtm", "vegas", "mv10k")
    for name in args.datasets:
        if name not in legal:
            parser.error(f"{name}: no such data set; one of {', '.join(legal)}")
    if args.times < 2:
        parser.error(f"--times {args.times}: a range needs two rounds or more")
    WORK.mkdir(parents=True, exist_ok=True)
    spread = json.loads(SPREAD.read_text(encoding="utf-8")) if SPREAD.is_file() else {}
    for dataset in args.datasets or legal:
        rounds = []
        for number in range(args.times):
            path = WORK / f"{dataset}-{number}.json"
            began = time.monotonic()
            if not path.is_file():
                measure(dataset, number, path)
                print(f"{dataset}: {number + 1} of {args.times}, {time.monotonic() - began:.0f} s", flush=True)
            rounds.append(json.loads(path.read_text(encoding="utf-8")))
        spread |= ranges(rounds)
        SPREAD.write_text(json.dumps(spread, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(WORK / "tree", ignore_errors=True)
    print(f"written: {SPREAD.relative_to(ROOT)}, {len(spread)} runs; finished rounds stay in {WORK.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
