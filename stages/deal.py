"""Deal the items of a data set into folds, or into a training, a validation and a test part (3.1)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, help="a section of params.yaml")
    parser.add_argument("--samples", type=Path, required=True, help="folder of items (Parquet shards)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write: the part of each item, ids outside")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts")
    args = parser.parse_args()
    from unisono.datasets import dealing
    from unisono.datasets.base import dataset_of

    dataset = dataset_of(args.dataset)
    params = dataset.settings.load()
    facts = dealing.deal(dataset, params, samples=args.samples, out=args.out, summary=args.summary)
    print(f"{args.dataset}: {facts['parts']}, {facts['n_outside']} outside")


if __name__ == "__main__":
    errors.run(main)
