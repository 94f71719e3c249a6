"""Make the audio-sheet-music encoder (ASMCMR): train it on the training part, or take the published or random one."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of shards with notes")
    parser.add_argument("--divisions", type=Path, required=True, help="folder of the part of each sample")
    parser.add_argument("--audio", type=Path, required=True, help="folder of shards with sounds")
    parser.add_argument("--engraved", type=Path, required=True, help="folder with a folder of shards per engraving")
    parser.add_argument("--out", type=Path, required=True, help="encoder to write (safetensors)")
    args = parser.parse_args()
    params = Mtm.load().features.asmcmr
    from unisono.features.asmcmr import encoder as asmcmr_encoder

    encoder = asmcmr_encoder.make(
        args.samples, args.divisions, args.audio, args.engraved, params=params, compute=Compute.load()
    )
    encoder.save(args.out)
    if "adapted" in encoder.metadata:
        print(f"note: {encoder.metadata['adapted']}")


if __name__ == "__main__":
    errors.run(main)
