"""Print every sample as sheet music with LilyPond."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import config, errors
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm
from unisono.errors import ConfigError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of sample shards")
    parser.add_argument("--engraving", required=True, help="name of an entry of mtm.engravings")
    parser.add_argument("--out", type=Path, required=True, help="folder of picture shards to write")
    parser.add_argument("--skipped", type=Path, required=True, help="CSV of the samples left out, and why")
    args = parser.parse_args()
    params = Mtm.load()
    if args.engraving not in params.engravings:
        hint = config.nearest(args.engraving, params.engravings)
        raise ConfigError(f"--engraving {args.engraving}: not in mtm.engravings; {hint}")

    from unisono.media import engraving

    engraving.engrave_folder(
        args.samples,
        args.out,
        args.skipped,
        params.engraver,
        engrave_lyrics=params.engravings[args.engraving].engrave_lyrics,
        compute=Compute.load(),
    )


if __name__ == "__main__":
    errors.run(main)
