"""Fit the whitening of an extractor on the clips outside every fold, or convert the published one."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.extractors import NAMES
from unisono.config.vegas import Vegas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards: id, video")
    parser.add_argument("--outside", type=Path, required=True, help="Parquet file of the ids outside every fold")
    parser.add_argument("--extractor", required=True, choices=NAMES, help="a key of vegas.features")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("data/raw/extractors"),
        help="folder for published files, if params.yaml asks for them (default: %(default)s)",
    )
    args = parser.parse_args()
    from unisono.features import video_extraction

    whitening = video_extraction.fit_whitening(
        args.samples,
        args.out,
        outside=args.outside,
        name=args.extractor,
        settings=getattr(Vegas.load().features, args.extractor),
        compute=Compute.load(),
        downloads=args.downloads,
    )
    if "adapted" in whitening.facts:
        print(f"note: {whitening.facts['adapted']}")


if __name__ == "__main__":
    errors.run(main)
