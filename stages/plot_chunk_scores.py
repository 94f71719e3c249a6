"""Draw the chunk-attention scores over one song, and the chunks that are kept (figure 4.3)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.mv10k import Mv10k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True, help="folder of vectors and scores")
    parser.add_argument("--out", type=Path, required=True, help="figure without ending; .png, .svg, .csv are written")
    args = parser.parse_args()
    params = Mv10k.load()
    from unisono.report import chunk_scores

    chunk_scores.from_vectors(args.vectors, params, out=args.out)


if __name__ == "__main__":
    errors.run(main)
