"""Write Table 3.2: the features of the musical ternary data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the built data set")
    parser.add_argument("--tables", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()

    from unisono.report import data_tables

    data_tables.write_features(args.data, args.tables)


if __name__ == "__main__":
    errors.run(main)
