"""Describe every sample's syllables by what stands in their text: word and sentence boundaries, letters, vowels."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of sample shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of feature shards to write")
    args = parser.parse_args()
    compute = Compute.load()

    from unisono.features import syllables

    syllables.extract_folder(args.samples, args.out, compute=compute)


if __name__ == "__main__":
    errors.run(main)
