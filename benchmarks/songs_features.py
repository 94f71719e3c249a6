"""Features of songs: processor seconds a song of each extractor, beside a plain loop.

The plain loops: librosa from the samples on, once for each matrix that the statistics need; musicnn in torch as its
paper draws it, one patch at a time, with all filters and normalisations. Both sides hear the same songs on one
thread, and the fastest of some turns counts. With ``--shards`` the whole stage is timed, too, over all processes.

    python benchmarks/songs_features.py --items 20 --turns 3 --shards 4
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from _measure import arguments

from unisono import arithmetic

arithmetic.pin()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from unisono.config.compute import Compute  # noqa: E402
from unisono.config.songs_extractors import MFCC, Musicnn  # noqa: E402
from unisono.errors import DataError  # noqa: E402
from unisono.features import mfcc, musicnn, songs, songs_extraction  # noqa: E402
from unisono.features.musicnn import package  # noqa: E402
from unisono.io import parquet  # noqa: E402
from unisono.media import audio  # noqa: E402

#: Of a song, rendering included; TiMidity++ takes the other part (benchmarks/render_audio.py).
TARGET_S = 0.5
CLIP_S = 30
MATRIX = MFCC(coefficients=20, hop=1024)


def song(seed: int) -> bytes:
    """30 s of chords with noise, as FLAC."""
    generator = np.random.default_rng(seed)
    t = np.arange(CLIP_S * mfcc.SAMPLE_RATE) / mfcc.SAMPLE_RATE
    tones = np.sum([np.sin(2 * np.pi * f * t) for f in generator.uniform(100, 2000, 6)], axis=0)
    return audio.encode_flac(0.05 * tones * (1 + np.sin(2 * np.pi * t)) + generator.normal(0, 0.01, len(t)), 22_050)


def plain_mfcc(samples: np.ndarray) -> np.ndarray:
    """Compute the matrix by librosa's one call."""
    import librosa

    found: np.ndarray = librosa.feature.mfcc(y=samples, sr=mfcc.SAMPLE_RATE, n_mfcc=20, hop_length=1024)
    return found.T


def plain_statistics(samples: np.ndarray) -> np.ndarray:
    """Compute the statistics by librosa's calls, each from the samples on."""
    import librosa

    cepstrum = plain_mfcc(samples).T
    chroma = librosa.feature.chroma_stft(y=samples, sr=mfcc.SAMPLE_RATE, hop_length=1024, tuning=0.0)
    delta = librosa.feature.delta
    rows = [cepstrum, delta(cepstrum), delta(cepstrum, order=2), chroma, delta(chroma)]
    return np.concatenate([[row.mean() for part in rows for row in part], [row.std() for part in rows for row in part]])


def plain_musicnn(weights: Mapping[str, np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Build the network layer by layer: (m, 187, 96) to (m, 200), one patch after the other."""
    import torch
    import torch.nn.functional as F

    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}

    def numbered(name: str, index: int) -> str:
        return f"{name}_{index}" if index else name

    def normalised(values: Any, index: int) -> Any:
        name = numbered("batch_normalization", index)
        parts = [tensors[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")]
        return F.batch_norm(values, *parts, training=False, eps=musicnn.EPSILON)

    def convolved(values: Any, index: int, rows: int) -> Any:
        name = numbered("conv2d", index)
        padded = F.pad(values, (0, 0, (rows - 1) // 2, rows // 2))
        kernel = tensors[f"{name}/kernel"].permute(3, 2, 0, 1)
        return normalised(F.relu(F.conv2d(padded, kernel, tensors[f"{name}/bias"])), index + 1)

    def one(patch: np.ndarray) -> np.ndarray:
        values = normalised(torch.from_numpy(patch)[None, None], 0)
        front = [convolved(values, i, rows).amax(dim=3) for i, (rows, _, _) in enumerate(musicnn.FRONT)]
        parts = [torch.cat(front, dim=1).transpose(1, 2)[:, None]]
        for i in range(musicnn.N_MIDDLE):
            made = convolved(parts[-1], len(musicnn.FRONT) + i, musicnn.MIDDLE_FRAMES).permute(0, 3, 2, 1)
            parts.append(made + parts[-1] if i else made)
        whole = torch.cat(parts, dim=3)[:, 0]
        pooled = torch.stack([whole.amax(dim=1), whole.mean(dim=1)], dim=2).flatten(1)
        dense = F.relu(normalised(pooled, 9) @ tensors["dense/kernel"] + tensors["dense/bias"])
        return np.asarray(normalised(dense, 10)[0])

    def run(patches: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.stack([one(patch) for patch in patches])

    return run


def seconds(function: Callable[[np.ndarray], np.ndarray], sounds: list[np.ndarray], turns: int) -> float:
    """Processor seconds a song, of the fastest turn."""
    taken = []
    for _ in range(turns):
        start_s = time.process_time()
        for samples in sounds:
            function(samples)
        taken.append(time.process_time() - start_s)
    return min(taken) / len(sounds)


def stage(files: list[bytes], n_shards: int, name: str, section: Any) -> float:
    """User seconds a song of the whole stage, with all its processes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for index in range(n_shards):
            part = files[index::n_shards]
            parquet.write(
                folder / "audio" / parquet.shard_name(index),
                {"id": [f"{index}-{row}" for row in range(len(part))], "audio": [(file, "x.flac") for file in part]},
                types={"id": pa.string(), "audio": parquet.MEDIA},
            )
        before_s = _user_s()
        songs_extraction.extract_folder(
            folder / "audio",
            folder / "features",
            view=name,
            name=name,
            settings=section,
            clip_s=CLIP_S,
            compute=Compute(scratch=folder / "scratch"),
            downloads=folder / "downloads",
        )
        return (_user_s() - before_s) / len(files)


def _user_s() -> float:
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10, help="songs")
    parser.add_argument("--turns", type=int, default=3, help="turns of each side")
    parser.add_argument("--shards", type=int, default=0, help="shards of the songs for the whole stage; 0: none")
    args = arguments(parser, items=1, turns=1, shards=0)

    import torch

    torch.set_num_threads(1)
    files = [song(seed) for seed in range(args.items)]
    try:
        trained, kind = package.read("MSD"), "packaged"
    except DataError as error:
        print(f"musicnn untrained, all of whose filters are alive: {error}")
        trained, kind = musicnn.untrained(0), "untrained"
    network, plain = musicnn.Extractor(trained), plain_musicnn(trained)

    def heard(samples: np.ndarray) -> np.ndarray:
        return musicnn.patches(samples, mfcc.SAMPLE_RATE)

    pairs = {
        "mfcc": (mfcc.mfcc, plain_mfcc),
        "mfcc_stats": (mfcc.statistics, plain_statistics),
        "musicnn": (lambda samples: network.embed(heard(samples)), lambda samples: plain(heard(samples))),
    }
    total_s = 0.0
    with threadpool_limits(1):
        sounds = [songs.heard(file, clip_s=CLIP_S) for file in files]
        start_s = time.process_time()
        for file in files:
            songs.heard(file, clip_s=CLIP_S)
        decoding_s = (time.process_time() - start_s) / len(files)
        print(f"{args.items} songs of 30 s on one core, processor ms a song")
        print(f"  {'decoding':<12} {1e3 * decoding_s:7.1f}")
        for name, (ours, peer) in pairs.items():
            np.testing.assert_allclose(ours(sounds[0]), peer(sounds[0]), rtol=1e-3, atol=1e-2)
            ours_s, peer_s = (seconds(function, sounds, args.turns) for function in (ours, peer))
            total_s += ours_s + decoding_s
            print(f"  {name:<12} {1e3 * ours_s:7.1f}, plain loop {1e3 * peer_s:7.1f}: {peer_s / ours_s:.2f} times")
    print(f"  all, decoded for each: {1e3 * total_s:.0f} (target with rendering: {1e3 * TARGET_S:.0f})")
    if args.shards:
        section = Musicnn(
            weights=kind, variant="MSD", location="", output="penultimate", hop_s=3.0, seed=0, batch_size=5
        )
        for name, settings in {"mfcc": MATRIX, "mfcc_stats": MATRIX, "musicnn": section}.items():
            taken_s = stage(files, args.shards, name, settings)
            print(f"  stage {name:<12} {1e3 * taken_s:7.1f} user ms a song, imports of every process included")


if __name__ == "__main__":
    main()
