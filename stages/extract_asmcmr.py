"""Turn pictures of sheet music into ASMCMR vectors, one per snippet."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of shards with pictures")
    parser.add_argument("--encoder", type=Path, required=True, help="encoder that train_asmcmr wrote")
    parser.add_argument("--name", required=True, help="name of the column of vectors")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards with vectors")
    args = parser.parse_args()
    params = Mtm.load().features.asmcmr
    from unisono.features.asmcmr import extraction as asmcmr_extraction

    asmcmr_extraction.extract(
        args.pictures,
        args.encoder,
        args.out,
        name=args.name,
        snippets=params.snippets,
        compute=Compute.load(),
    )


if __name__ == "__main__":
    errors.run(main)
