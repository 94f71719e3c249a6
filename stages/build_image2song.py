"""Read pictures and songs from image2song.source and image2song.songs.source, and find what repeats among them."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.choices import read_from
from unisono.config.image2song import Image2song


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards of pictures and songs")
    parser.add_argument("--audio", type=Path, required=True, help="folder of the shards of the songs' sounds")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of what gives no item, with reasons")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts, versions and licences")
    args = parser.parse_args()
    params = Image2song.load()
    from unisono.datasets.image2song import build

    facts = build.build(params, out=args.out, audio=args.audio, skipped=args.skipped, summary=args.summary)
    print(f"{facts['n_pictures']} pictures, {facts['n_songs']} songs")
    for choice in read_from("image2song", params):
        if choice.chosen.unwatched:
            print(f"note: {choice.chosen.unwatched}")


if __name__ == "__main__":
    errors.run(main)
