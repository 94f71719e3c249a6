"""Draw one query and its first results under several methods (figure 5.7)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.config.report import Report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the built data set")
    parser.add_argument("--experiments", type=Path, required=True, help="folder of the experiments' results")
    parser.add_argument("--direction", default="audio->visual", help="query and target (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="figure without ending; .png, .svg, .csv are written")
    args = parser.parse_args()

    from unisono.report import example
    from unisono.store import pieces

    experiments, looks = load_experiments(), Report.load()
    with pieces.opened(Compute.load().scratch, "plot_example"):
        example.write(args.data, experiments, looks, args.experiments, direction=args.direction, out=args.out)


if __name__ == "__main__":
    errors.run(main)
