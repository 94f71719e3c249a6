"""Learn to tell the tags of pictures from the training part of every deal, tell those of all, and measure it."""

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
    parser.add_argument("--pictures", type=Path, required=True, help="folder of features, a folder for each extractor")
    parser.add_argument("--models", type=Path, required=True, help="folder of models to write, one a deal")
    parser.add_argument("--out", type=Path, required=True, help="folder of the sets tags, true_tags, probabilities")
    parser.add_argument("--table", type=Path, required=True, help="CSV of the measures of every extractor to write")
    parser.add_argument("--by-tag", type=Path, help="CSV of the average precision of each word to write")
    args = parser.parse_args()
    settings = Image2song.load().features.tags
    from unisono.features.image2song import tagging

    note = tagging.train(
        args.samples,
        args.divisions,
        args.tags,
        args.pictures,
        args.models,
        args.out,
        args.table,
        args.by_tag,
        settings=settings,
    )
    if note:
        print(f"note: {note}")


if __name__ == "__main__":
    errors.run(main)
