"""Train the emotion model, an LSTM with attention over chunks of 3 s, on tagged audios, or fetch one (4.2.1)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tagged", type=Path, required=True, help="folder of audios with a mood tag")
    parser.add_argument("--out", type=Path, required=True, help="the model (.safetensors)")
    args = parser.parse_args()
    params, compute = Mv10k.load().emotion, Compute.load()
    from unisono.features import emotion_model

    emotion_model.build(params, compute, tagged=args.tagged, out=args.out)


if __name__ == "__main__":
    errors.run(main)
