"""Extract VGGish features of every note from audio shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, required=True, help="folder of shards: id, audio, onsets, offsets")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards to write: id, audio (20, 128)")
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("data/raw/vggish"),
        help="folder for the published network, if params.yaml asks for it (default: %(default)s)",
    )
    args = parser.parse_args()
    from unisono.features.vggish import extraction as vggish_extraction

    vggish_extraction.extract_folder(
        args.audio,
        args.out,
        settings=Mtm.load().features.vggish,
        compute=Compute.load(),
        downloads=args.downloads,
    )


if __name__ == "__main__":
    errors.run(main)
