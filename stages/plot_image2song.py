"""Draw what pictures and songs find, where the attention lies, and which words are found."""

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
    parser.add_argument("--figures", type=Path, required=True, help="folder for the figures")
    parser.add_argument("--table", type=Path, required=True, help="CSV file for the precision by tag")
    args = parser.parse_args()

    from unisono.report import image2song
    from unisono.store import pieces

    experiments, looks = load_experiments(), Report.load()
    with pieces.opened(Compute.load().scratch, "plot_image2song"):
        image2song.write(args.data, experiments, looks, args.experiments, figures=args.figures, table=args.table)


if __name__ == "__main__":
    errors.run(main)
