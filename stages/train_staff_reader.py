"""Train the staff reader: a network that reads the notes of printed music, on the training part alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards with notes")
    parser.add_argument("--divisions", type=Path, required=True, help="folder of the part of each sample")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of shards with pictures")
    parser.add_argument("--out", type=Path, required=True, help="reader to write (safetensors)")
    parser.add_argument(
        "--split-seed", type=int, help="deal songs anew by this seed of mtm.split; as divided by default"
    )
    args = parser.parse_args()
    params = Mtm.load()
    from unisono.features.staff_reader import making

    deal = None if args.split_seed is None else params.split.model_copy(update={"seed": args.split_seed})
    reader = making.make(
        args.samples, args.divisions, args.pictures, params=params.features.staff_reader, deal=deal
    )  # fmt: skip
    reader.save(args.out)
    if "adapted" in reader.metadata:
        print(f"note: {reader.metadata['adapted']}")


if __name__ == "__main__":
    errors.run(main)
