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
    args = parser.parse_args()

    from unisono.report import tables

    tables.write_tables(config.load("experiments"), args.experiments, args.tables, args.metrics)


if __name__ == "__main__":
    errors.run(main)
