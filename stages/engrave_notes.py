"""Print every distinct single note (pitch, duration) of the samples with LilyPond."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import config, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of sample shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of picture shards to write")
    args = parser.parse_args()
    params = config.load("mtm")

    from unisono.media import engraving

    engraving.engrave_notes_folder(args.samples, args.out, params.engraver, compute=config.load("compute"))


if __name__ == "__main__":
    errors.run(main)
