"""Read pictures of sheet music note by note with the staff reader: a row of features each."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of shards with pictures")
    parser.add_argument("--reader", type=Path, required=True, help="reader that train_staff_reader wrote")
    parser.add_argument("--name", required=True, help="name of the column of features")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards with features")
    args = parser.parse_args()
    from unisono.features.staff_reader import extraction

    others = extraction.extract(args.pictures, args.reader, args.out, name=args.name, compute=Compute.load())
    if sum(others):
        print(f"note: of {sum(others)} pictures not exactly {extraction.N_ROWS} notes were read; see n_found")


if __name__ == "__main__":
    errors.run(main)
