"""Play every sample on a piano with TiMidity++: mono FLAC and the notes' times."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of sample shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of audio shards to write")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of the samples left out, and why")
    args = parser.parse_args()
    params = Mtm.load().audio

    from unisono.media import timidity

    timidity.render_folder(args.samples, args.out, args.skipped, params, compute=Compute.load())


if __name__ == "__main__":
    errors.run(main)
