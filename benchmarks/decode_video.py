"""One picture a second out of MP4 files: ours against the ffmpeg command line, one file after the other.

Both decode every file to RGB at 1 frame/s; they take turns, and the fastest turn of each counts. Ours reads with one
thread in this process, ffmpeg starts a process for each file and uses the threads it likes. The files are written
here: moving noise and shapes, H.264 at 30 frames/s with B-frames.

    python benchmarks/decode_video.py --items 20
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from _measure import arguments

from unisono.media import video

RATE = 30
TARGET = 0.9


def write(path: Path, seed: int, *, duration_s: int, width: int, height: int) -> None:
    """Write a video like a camera's: texture that pans, a little noise."""
    generator = np.random.default_rng(seed)
    texture = generator.uniform(0, 255, (height // 8 * 2, width // 8 * 2, 3)).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "fast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(duration_s * RATE):
            panned = texture[index % height :][:height, 2 * index % width :][:, :width]
            picture = panned + generator.normal(0, 4, panned.shape)
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def ours(paths: list[Path]) -> int:
    """Decode all files; return the number of pictures."""
    return sum(len(video.frames(path)) for path in paths)


def peer(paths: list[Path]) -> int:
    """Do the same by the ffmpeg command line."""
    pictures = 0
    for path in paths:
        with av.open(path) as container:
            size = container.streams.video[0].width * container.streams.video[0].height * 3
        command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-vf", "fps=1", "-pix_fmt", "rgb24"]
        done = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, check=True)
        pictures += len(done.stdout) // size
    return pictures


def seconds(function: Callable[[list[Path]], int], paths: list[Path]) -> tuple[float, int]:
    """Seconds that it takes, and pictures that come out."""
    start_s = time.perf_counter()
    n = function(paths)
    return time.perf_counter() - start_s, n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10, help="files")
    parser.add_argument("--duration", type=int, default=10, help="length of each, in seconds")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--turns", type=int, default=3, help="turns of each")
    args = arguments(parser, items=1, duration=1, width=64, height=48, turns=1)
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"{index}.mp4" for index in range(args.items)]
        for index, path in enumerate(paths):
            write(path, index, duration_s=args.duration, width=args.width, height=args.height)
        runs = {"unisono": ours}
        if shutil.which("ffmpeg"):
            runs["ffmpeg command line"] = peer
        else:
            print("ffmpeg is not installed: no peer")
        taken = {key: [seconds(function, paths) for _ in range(args.turns)] for key, function in runs.items()}
    size = f"{args.width} x {args.height}, {RATE} frames/s"
    print(f"{args.items} files of {args.duration} s, {size}")
    fastest = {key: min(t for t, _ in values) for key, values in taken.items()}
    for key, best_s in fastest.items():
        rate = args.items * args.duration / best_s
        print(f"  {key:<20} {best_s:7.2f} s, {rate:7.1f} times real time, {taken[key][0][1]} pictures")
    if len(fastest) == 2:
        ratio = fastest["ffmpeg command line"] / fastest["unisono"]
        print(f"  ours is {ratio:.2f} times as fast (target {TARGET})")


if __name__ == "__main__":
    main()
