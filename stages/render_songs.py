"""Make the piece of every song that is heard: scores played by TiMidity++, sound files cut; mono FLAC."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.songs import Songs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of the songs' shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of audio shards to write")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of the songs left out, and why")
    args = parser.parse_args()
    params = Songs.load().audio
    from unisono.media import rendering

    rendering.render_folder(args.samples, args.out, args.skipped, params, compute=Compute.load())


if __name__ == "__main__":
    errors.run(main)
