"""Write Table 3.1: the features of the audio-visual data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vegas", type=Path, required=True, help="folder of the built data set of clips")
    parser.add_argument("--mv10k", type=Path, required=True, help="folder of the built data set of music videos")
    parser.add_argument("--tables", type=Path, required=True, help="folder for the table")
    args = parser.parse_args()
    from unisono.report import clip_tables

    clip_tables.write(args.vegas, args.mv10k, args.tables)


if __name__ == "__main__":
    errors.run(main)
