"""Learn vectors of words from the training songs of every deal, and turn tags and lyrics into features."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.image2song import Image2song


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards: id, part, group, words")
    parser.add_argument("--divisions", type=Path, required=True, help="folder of shards: id, deals")
    parser.add_argument("--tags", type=Path, required=True, help="folder of the shard: id, keywords")
    parser.add_argument("--features", type=Path, required=True, help="folder of sets: tags, true_tags; others written")
    parser.add_argument("--models", type=Path, required=True, help="folder of models to write, one a deal")
    args = parser.parse_args()
    settings = Image2song.load().features.words
    from unisono.features.image2song import wording

    adapted = wording.embed(args.samples, args.divisions, args.tags, args.features, args.models, settings)
    if adapted:
        print(f"note: {adapted}")


if __name__ == "__main__":
    errors.run(main)
