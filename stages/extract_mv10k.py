"""Extract vectors per video and view (whole audio, selected and random chunks, visual) and sequences (4.2.1, 4.2.4)."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, required=True, help="folder of accepted videos")
    parser.add_argument("--model", type=Path, required=True, help="the emotion model (.safetensors)")
    parser.add_argument("--out", type=Path, required=True, help="folder of vectors, emotion features and scores")
    args = parser.parse_args()
    params, compute = Mv10k.load().features, Compute.load()
    from unisono.features import video_vectors

    video_vectors.extract(params, compute, videos=args.videos, model=args.model, out=args.out)


if __name__ == "__main__":
    errors.run(main)
