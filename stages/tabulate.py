"""Write the result tables and the headline numbers of all experiments of params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import config, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=Path, required=True, help="folder of the experiments' results")
    parser.add_argument("--tables", type=Path, required=True, help="folder for the tables")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file for the headline numbers")
    parser.add_argument("--curves", type=Path, required=True, help="CSV file for the recall curves")
    parser.add_argument("--picture", type=Path, required=True, help="PNG file for the recall curves")
    args = parser.parse_args()

    from unisono.report import curves, tables

    experiments = config.load("experiments")
    tables.write_tables(experiments, args.experiments, args.tables, args.metrics)
    curves.write_recall(experiments, args.experiments, args.curves, args.picture)


if __name__ == "__main__":
    errors.run(main)
