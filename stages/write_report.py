"""Write the report: one HTML file with every table, figure and a gallery, and a summary in Markdown."""

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
    parser.add_argument("--tables", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--figures", type=Path, required=True, help="folder of the drawn figures")
    parser.add_argument("--plots", type=Path, required=True, help="folder of the curves' numbers")
    parser.add_argument("--cards", type=Path, required=True, help="folder of the data cards")
    parser.add_argument("--data", type=Path, required=True, help="folder of the built data sets")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--summary", type=Path, required=True, help="Markdown file to write, beside the tables' folder")
    args = parser.parse_args()

    from unisono.report.html import page, summary
    from unisono.store import pieces

    experiments, looks = load_experiments(), Report.load()
    inputs = page.Inputs(args.experiments, args.tables, args.figures, args.plots, args.cards, args.data)
    with pieces.opened(Compute.load().scratch, "write_report"):
        page.write(experiments, looks, inputs, args.out)
    summary.write(experiments, looks, inputs, args.summary)


if __name__ == "__main__":
    errors.run(main)
