"""Train the skip-gram encoders of syllables and words on all lyrics of the source, or fetch the authors'."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of sample shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of encoders to write")
    args = parser.parse_args()
    params = Mtm.load().features.skipgram

    from unisono.features import skipgram

    adapted = skipgram.make_encoders(args.samples, args.out, params)
    if adapted:
        print(f"note: {adapted}")


if __name__ == "__main__":
    errors.run(main)
