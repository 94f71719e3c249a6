"""Turn the lyrics of songs into one set of vectors, by a model for every deal where the extractor is trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.songs import Songs
from unisono.config.text_extractors import NAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards: id, text")
    parser.add_argument("--divisions", type=Path, required=True, help="folder of shards: id, deals")
    parser.add_argument("--extractor", required=True, choices=NAMES, help="a key of songs.features.texts")
    parser.add_argument("--view", required=True, help="name of the set's column")
    parser.add_argument("--models", type=Path, required=True, help="folder of models to write, one a deal")
    parser.add_argument("--out", type=Path, required=True, help="folder of shards to write: id, view")
    args = parser.parse_args()
    settings = getattr(Songs.load().features.texts, args.extractor)
    more = getattr(settings, "extra_texts", "")
    from unisono.features.texts import extraction

    adapted = extraction.extract(
        args.samples,
        args.divisions,
        args.out,
        args.models,
        settings,
        Path(more) if more else None,
        name=args.extractor,
        view=args.view,
    )
    if adapted:
        print(f"note: {adapted}")


if __name__ == "__main__":
    errors.run(main)
