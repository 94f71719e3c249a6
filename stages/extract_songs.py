"""Extract one feature set of what is heard of songs."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.songs import Songs
from unisono.config.songs_extractors import NAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of songs: what a source brings of features")
    parser.add_argument("--audio", type=Path, required=True, help="folder of shards: id, audio")
    parser.add_argument("--extractor", required=True, choices=NAMES, help="a key of songs.features")
    parser.add_argument("--view", required=True, help="name of the feature set's column")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards to write: id, view")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of songs left out, with the reason")
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("data/raw/extractors"),
        help="folder for published files, if params.yaml asks for them (default: %(default)s)",
    )
    args = parser.parse_args()
    from unisono.features import songs_extraction
    from unisono.io import skipped

    section = Songs.load()
    left_out = songs_extraction.extract_folder(
        args.samples,
        args.audio,
        args.out,
        view=args.view,
        name=args.extractor,
        settings=getattr(section.features, args.extractor),
        clip_s=section.audio.clip_s,
        compute=Compute.load(),
        downloads=args.downloads,
    )
    skipped.write(args.skipped, left_out)


if __name__ == "__main__":
    errors.run(main)
