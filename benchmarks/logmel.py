"""Log-mel: ours against librosa's melspectrogram with the same frames and bands, on one core.

Processor time of the fastest of some runs; ours includes the logarithm, and so does the peer.

    python benchmarks/logmel.py --items 600
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import librosa
import numpy as np
from _measure import arguments
from threadpoolctl import threadpool_limits

from unisono.features import logmel


def peer(samples: np.ndarray) -> np.ndarray:
    """Compute the same bands with librosa, with the logarithm: (frames, 64)."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=16000,
        n_fft=512,
        win_length=400,
        hop_length=160,
        center=False,
        power=1.0,
        n_mels=64,
        fmin=125,
        fmax=7500,
        htk=True,
        norm=None,
    )
    return np.log(mel + 0.01).T


def best_of(runs: int, function: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some runs, after one that does not count."""
    function()
    times = []
    for _ in range(runs):
        start_s = time.process_time()
        function()
        times.append(time.process_time() - start_s)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=120, help="seconds of sound")
    parser.add_argument("--runs", type=int, default=5, help="the fastest of these counts")
    args = arguments(parser, items=2, runs=1)
    samples = np.random.default_rng(0).normal(0, 0.1, args.items * 16000).astype(np.float32)
    starts = np.arange(args.items - 1) * 16000
    with threadpool_limits(1):
        ours_s = best_of(args.runs, lambda: logmel.log_mel(samples))
        notes_s = best_of(args.runs, lambda: logmel.patches_at(samples, starts))
        peer_s = best_of(args.runs, lambda: peer(samples))
    print(f"{args.items} s of sound at 16 kHz on one core")
    print(f"  unisono, whole sound:       {1e6 * ours_s / args.items:6.1f} us a second of sound")
    print(f"  unisono, patches at onsets: {1e6 * notes_s / len(starts):6.1f} us a patch")
    print(f"  librosa melspectrogram:     {1e6 * peer_s / args.items:6.1f} us a second of sound")
    print(f"  ratio: {peer_s / ours_s:.2f} (target 1)")


if __name__ == "__main__":
    main()
