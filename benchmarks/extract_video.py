"""From MP4 to features: the stage against decoding every clip and then calling Keras' predict with batch 1.

Both start from the same shard of clips, decode one frame a second by the same decoder and use all cores: the stage by
a worker per core, each decoding ahead of its network; the peer by Keras' threads. Building the networks does not
count on either side (for the stage it is measured apart, on clips that cannot be decoded).

    python benchmarks/extract_video.py --clips 64
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from _measure import arguments
from inception import keras_inception

from unisono.config.compute import Compute
from unisono.config.vegas import Vegas
from unisono.features import inception, video_extraction, whitening
from unisono.features.tf_runtime import tensorflow
from unisono.io import parquet
from unisono.media import mp4, video


def make_clips(n: int, *, length_s: int, height: int, width: int) -> list[bytes]:
    """Encode clips of a moving pattern and noise, 25 frames a second."""
    generator = np.random.default_rng(0)
    made = []
    for _ in range(n):
        picture = np.kron(generator.integers(0, 256, (height // 20, width // 20, 3)), np.ones((20, 20, 1)))
        frames = (np.roll(picture.astype(np.uint8), 4 * k, axis=1) for k in range(25 * length_s))
        made.append(mp4.encode(frames, 25, generator.normal(0, 0.1, 16000 * length_s).astype(np.float32), 16000))
    return made


def write(folder: Path, clips: list[bytes], n_shards: int) -> None:
    """Write shards of clips."""
    types = {"id": pa.string(), "video": parquet.MEDIA}
    for index in range(n_shards):
        part = clips[index::n_shards]
        rows = {
            "id": [f"{index}-{row}" for row in range(len(part))],
            "video": [(data, "x.mp4") for data in part],
        }
        parquet.write(folder / parquet.shard_name(index), rows, types=types)


def stage(folder: Path, name: str) -> float:
    """Seconds that the stage takes for a folder of clips."""
    start_s = time.perf_counter()
    video_extraction.extract_folder(
        folder / name,
        folder / "features",
        outside=None,
        view="visual",
        name="inception",
        settings=Vegas.load().features.inception,
        fitted=folder / "whitening.safetensors",
        compute=Compute.load().model_copy(update={"scratch": folder / "scratch"}),
        downloads=folder,
    )
    return time.perf_counter() - start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=16, help="clips per turn")
    parser.add_argument("--length", type=int, default=4, help="of a clip, in seconds")
    parser.add_argument("--turns", type=int, default=2, help="turns of each")
    args = arguments(parser, clips=1, length=1, turns=1)

    cores = len(os.sched_getaffinity(0))
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(cores)
    network = keras_inception(inception.untrained(0))
    network.predict(np.zeros((1, 299, 299, 3), np.float32), verbose=0)
    scaled = tensorflow().keras.applications.inception_v3.preprocess_input
    clips = make_clips(args.clips, length_s=args.length, height=360, width=480)
    generator = np.random.default_rng(1)
    projection = generator.normal(size=(inception.DIMENSIONS, 256)).astype(np.float32)
    after = whitening.Whitening(np.zeros(inception.DIMENSIONS, np.float32), projection)
    times: dict[str, list[float]] = {"stage": [], "peer": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        after.save(folder / "whitening.safetensors")
        write(folder / "clips", clips, cores)
        write(folder / "none", [b"no video"] * cores, cores)
        for _ in range(args.turns):
            times["stage"].append(stage(folder, "clips") - stage(folder, "none"))
            start_s = time.perf_counter()
            for data in clips:
                pictures = inception.resize(video.frames(data), "keras")
                vectors = network.predict(scaled(pictures.astype(np.float32)), batch_size=1, verbose=0)
                after.apply(vectors, limits="clipped")
            times["peer"].append(time.perf_counter() - start_s)
    ours, peer = (min(times[key]) for key in ("stage", "peer"))
    frames = args.clips * args.length
    print(f"{args.clips} clips of {args.length} s, {cores} cores")
    print(f"  stage {ours:.1f} s, {frames / ours:.1f} frames/s; peer {peer:.1f} s, {frames / peer:.1f} frames/s")
    print(f"  ours {peer / ours:.2f} times as fast (target 1.6)")


if __name__ == "__main__":
    main()
