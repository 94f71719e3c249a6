"""Read whole songs with their lyrics from songs.source: scores as MIDI files, or paths of sound files."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.songs import Songs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the songs' shards")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of files that give no song, with reasons")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts, categories and licences")
    args = parser.parse_args()
    params = Songs.load()
    from unisono.datasets.songs import build

    facts = build.build(params, out=args.out, skipped=args.skipped, summary=args.summary)
    print(f"{facts['n_samples']} files of {facts['n_songs']} songs, {facts['largest_song']} of the largest")
    if params.chosen.unwatched:
        print(f"note: {params.chosen.unwatched}")


if __name__ == "__main__":
    errors.run(main)
