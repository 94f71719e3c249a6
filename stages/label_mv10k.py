"""Label every video with a mood by k-means on emotion features, and write each view (4.2.3)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.mv10k import Mv10k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True, help="folder of vectors and emotion features")
    parser.add_argument("--samples", type=Path, required=True, help="folder of ids and labels")
    parser.add_argument("--features", type=Path, required=True, help="folder of one feature set per view")
    parser.add_argument("--moods", type=Path, required=True, help="CSV of moods, their sizes and initial centres")
    args = parser.parse_args()
    params = Mv10k.load()
    from unisono.features import mood_labels

    mood_labels.build(params, vectors=args.vectors, samples=args.samples, features=args.features, table=args.moods)


if __name__ == "__main__":
    errors.run(main)
