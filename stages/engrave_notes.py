"""Print every distinct single note (pitch, duration) of the samples with LilyPond."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of sample shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of picture shards to write")
    args = parser.parse_args()
    params = Mtm.load()

    from unisono.media import engraving

    engraving.engrave_notes_folder(args.samples, args.out, params.engraver, compute=Compute.load())


if __name__ == "__main__":
    errors.run(main)
