"""Read songs with lyrics from mtm.source and cut them into samples of 20 notes and syllables (D 3.1.3)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the samples' shards")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of files that give no sample, with reasons")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts and licences")
    args = parser.parse_args()
    params = Mtm.load()
    from unisono.datasets.mtm import build

    facts = build.build(params, out=args.out, skipped=args.skipped, summary=args.summary)
    print(f"{facts['n_samples']} samples of {facts['n_songs']} songs")
    if params.chosen.unwatched:
        print(f"note: {params.chosen.unwatched}")


if __name__ == "__main__":
    errors.run(main)
