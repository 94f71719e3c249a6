"""Write Tables 5.1 and 6.1: inputs and settings of the networks of chapters 5 and 6."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.models import load_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vegas", type=Path, required=True, help="folder of the built data set of clips")
    parser.add_argument("--mv10k", type=Path, required=True, help="folder of the built data set of music videos")
    parser.add_argument("--mtm", type=Path, required=True, help="folder of the built musical data set")
    parser.add_argument("--tables", type=Path, required=True, help="folder for the tables")
    args = parser.parse_args()

    from unisono.report import settings

    settings.write(args.vegas, args.mv10k, args.mtm, load_models(), args.tables)


if __name__ == "__main__":
    errors.run(main)
