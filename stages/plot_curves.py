"""Draw the curves of all experiments of params.yaml: recall, precision, MAP against parameters, losses."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.config.report import Report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=Path, required=True, help="folder of the experiments' results")
    parser.add_argument("--plots", type=Path, required=True, help="folder for the curves, as CSV")
    parser.add_argument("--tables", type=Path, required=True, help="folder for figure_5_8.csv and figure_5_9.csv")
    parser.add_argument("--figures", type=Path, required=True, help="folder for the pictures, as PNG and SVG")
    args = parser.parse_args()

    from unisono.report import curves, losses, splits, sweeps
    from unisono.store import pieces
    from unisono.store.results import read_results

    runs = read_results(load_experiments(), Report.load(), args.experiments)
    with pieces.opened(Compute.load().scratch, "plot_curves"):
        for dataset, name in (("mtm", "recall"), ("image2song", "recall_image2song")):
            curves.write_recall(runs, table=args.plots / f"{name}.csv", picture=args.figures / name, dataset=dataset)
        curves.write_precision(runs, plots=args.plots, figures=args.figures)
        sweeps.write(runs, tables_folder=args.tables, figures=args.figures)
        splits.write(runs, tables_folder=args.tables, figures=args.figures)
        losses.write(runs, table=args.plots / "losses.csv", picture=args.figures / "losses")


if __name__ == "__main__":
    errors.run(main)
