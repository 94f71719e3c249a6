"""Find the tags that make pictures and songs fit: words from the training part of each deal, or the songs of pairs."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.image2song import Image2song


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of the shards of pictures and songs")
    parser.add_argument("--divisions", type=Path, required=True, help="folder of their parts in every deal")
    parser.add_argument("--out", type=Path, required=True, help="folder to write: the tags of each item in every deal")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts")
    args = parser.parse_args()
    params = Image2song.load()
    from unisono.datasets.image2song import labelling

    facts = labelling.label(params, samples=args.samples, divisions=args.divisions, out=args.out, summary=args.summary)
    print(f"tags by deal: {', '.join(str(deal['n_tags']) for deal in facts['deals'])}")


if __name__ == "__main__":
    errors.run(main)
