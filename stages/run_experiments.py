"""Train and score the experiments of params.yaml, as far as no earlier run has kept them."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.config.models import load_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the built data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results, one folder per experiment")
    parser.add_argument("--times", type=Path, required=True, help="folder for the times, which nothing tracks")
    args = parser.parse_args()
    compute = Compute.load()

    from unisono.evaluation.experiments import run_experiments

    entries, defaults = load_experiments(), load_models()
    run_experiments(entries, defaults, data=args.data, out=args.out, times=args.times, compute=compute)


if __name__ == "__main__":
    errors.run(main)
