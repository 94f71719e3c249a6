"""Build the clips of vegas.source: select those that can be seen and heard (3.1.2)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.vegas import Vegas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="folder of your own files, where a location is empty")
    parser.add_argument("--out", type=Path, required=True, help="folder of clips (Parquet shards)")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of clips that were left out, with reasons")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts, folds and lengths")
    parser.add_argument("--status", type=Path, required=True, help="CSV of what became of every YouTube video")
    args = parser.parse_args()
    params, compute = Vegas.load(), Compute.load()
    from unisono.datasets.vegas import build as clips

    facts = clips.build(
        params,
        compute,
        raw=args.raw,
        out=args.out,
        skipped=args.skipped,
        summary=args.summary,
        status=args.status,
    )
    print(f"{facts['n_clips']} clips of {len(facts['classes'])} classes; {facts['n_skipped']} left out")
    if params.chosen.unwatched:
        print(f"note: {params.chosen.unwatched}")


if __name__ == "__main__":
    errors.run(main)
