"""Learn vectors of words from the training songs of every deal, and turn tags and lyrics into features."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.image2song import Image2song


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards: id, part, words")
    parser.add_argument("--divisions", type=Path, required=True, help="folder of shards: id, deals")
    parser.add_argument("--tags", type=Path, required=True, help="folder of the shard that names the tags of each deal")
    parser.add_argument("--features", type=Path, required=True, help="folder with the sets tags and true_tags")
    parser.add_argument("--models", type=Path, required=True, help="folder of models to write, one a deal")
    args = parser.parse_args()
    settings = Image2song.load().features.words
    from unisono.features.lyric_words import extraction

    widths = extraction.extract(args.samples, args.divisions, args.tags, args.features, args.models, settings)
    print(", ".join(f"{name} {width}" for name, width in widths.items()))


if __name__ == "__main__":
    errors.run(main)
