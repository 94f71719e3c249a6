"""Build the music videos of mv10k.source: filter YouTube-8M's shards, or take ready-made features (3.1.1)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of accepted videos (Parquet shards)")
    parser.add_argument("--tagged", type=Path, required=True, help="folder of audios with a mood tag")
    parser.add_argument("--shards", type=Path, required=True, help="CSV of what was read, accepted and rejected")
    args = parser.parse_args()
    params, compute = Mv10k.load(), Compute.load()
    from unisono.datasets.mv10k import build, tagged

    build.build(params, compute, out=args.out, table=args.shards)
    tagged.build(params, compute, videos=args.out, out=args.tagged)
    if params.chosen.unwatched:
        print(f"note: {params.chosen.unwatched}")


if __name__ == "__main__":
    errors.run(main)
