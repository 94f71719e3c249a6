"""Extract one feature set of clips: one vector a second."""

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
    parser.add_argument("--whitening", type=Path, required=True, help="safetensors file from fit_whitening")
    parser.add_argument("--view", required=True, help="name of the feature set's column")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards to write: id, view, n_frames")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of clips left out, with the reason")
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("data/raw/extractors"),
        help="folder for published files, if params.yaml asks for them (default: %(default)s)",
    )
    args = parser.parse_args()
    from unisono.features import video_extraction
    from unisono.io import skipped

    left_out = video_extraction.extract_folder(
        args.samples,
        args.out,
        outside=args.outside,
        view=args.view,
        name=args.extractor,
        settings=getattr(Vegas.load().features, args.extractor),
        fitted=args.whitening,
        compute=Compute.load(),
        downloads=args.downloads,
    )
    skipped.write(args.skipped, left_out)


if __name__ == "__main__":
    errors.run(main)
