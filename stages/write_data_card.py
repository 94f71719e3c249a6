"""Write the card of a data set: counts, lengths, what was left out, source, licence, contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="a section of params.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder of the built data set")
    parser.add_argument("--skipped", type=Path, nargs="*", default=[], help="CSV files of what was left out")
    parser.add_argument("--kinds", type=Path, required=True, help="CSV of what is found beyond the kinds of items")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--figure", type=Path, required=True, help="PNG file of the contact sheet to write")
    args = parser.parse_args()
    from unisono.report import data_cards

    data_cards.write(args.dataset, args.data, args.skipped, kinds=args.kinds, out=args.out, figure=args.figure)


if __name__ == "__main__":
    errors.run(main)
