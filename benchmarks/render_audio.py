"""Sound: many MIDI files per TiMidity++ process against one process per sample, and the whole stage.

The same samples (20 notes, about 13 s) go both ways in this run, on one core and with the same options; then
the stage itself runs on all cores, from sample shards to audio shards.

    python benchmarks/render_audio.py --items 14454
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
from _measure import arguments

from unisono.config.compute import Compute
from unisono.config.mtm import Audio, Mtm
from unisono.io import parquet
from unisono.media import midi, programs, timidity

DISSERTATION_SAMPLES = 14_454


def make_samples(n_items: int) -> np.ndarray:
    """Random melodies, shape (n_items, 20, 3), of about 26 beats each."""
    rng = np.random.default_rng(0)
    pitches = np.clip(60 + np.cumsum(rng.integers(-3, 4, (n_items, 20)), axis=1), 40, 90)
    durations = rng.choice([0.25, 0.5, 1.0, 2.0], (n_items, 20), p=[0.1, 0.3, 0.4, 0.2])
    rests = rng.choice([0.0, 1.0, 4.0], (n_items, 20), p=[0.85, 0.1, 0.05])
    return np.stack([pitches, durations, rests], axis=-1)


def one_process_each(samples: np.ndarray, audio: Audio) -> list[np.ndarray]:
    """Play the peer: a TiMidity++ process per sample, its output read without any check."""
    program = programs.find(timidity.PROGRAM, timidity.PACKAGES)
    font = timidity.find_soundfont(audio)
    sounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "font.sf2").symlink_to(font)
        (folder / "own.cfg").write_text(f"bank 0\n{audio.program} %font font.sf2 0 {audio.program}\n")
        command = [program, "-c", "own.cfg", "-OwM1sl", "-s", str(audio.sample_rate), *timidity.OPTIONS]
        for notes in samples:
            score = midi.encode(
                notes, seconds_per_beat=audio.seconds_per_beat, program=audio.program, velocity=audio.velocity
            )
            (folder / "x.mid").write_bytes(score)
            subprocess.run([*command, "x.mid"], cwd=folder, check=True, capture_output=True)
            sounds.append(soundfile.read(folder / "x.wav", dtype="int16")[0])
    return sounds


def run_stage(samples: np.ndarray, audio: Audio, compute: Compute, folder: Path) -> float:
    """Seconds that the stage takes from sample shards to audio shards."""
    ids = np.array([f"sample-{index:05d}" for index in range(len(samples))], dtype=object)
    for index, start in enumerate(range(0, len(samples), 64)):
        part = slice(start, start + 64)
        parquet.write(
            folder / "samples" / parquet.shard_name(index),
            {"id": ids[part], "notes": samples[part]},
            types={"id": pa.string(), "notes": parquet.matrix(20, 3)},
            metadata={"dataset": "mtm", "source": "random melodies"},
        )
    start_s = time.perf_counter()
    timidity.render_folder(
        folder / "samples",
        folder / "audio",
        folder / "skipped.csv",
        audio,
        compute=compute.model_copy(update={"scratch": folder / "scratch"}),
    )
    return time.perf_counter() - start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1024, help="samples for the whole stage")
    parser.add_argument("--peer-items", type=int, default=128, help="samples for the comparison on one core")
    args = arguments(parser, items=4, peer_items=2)
    audio, compute = Mtm.load().audio, Compute.load()
    samples = make_samples(max(args.items, args.peer_items))

    compared = samples[: args.peer_items]
    timidity.render(compared[:2], audio)
    start_s = time.perf_counter()
    ours = timidity.render(compared, audio)
    ours_s = (time.perf_counter() - start_s) / len(compared)
    start_s = time.perf_counter()
    one_process_each(compared, audio)
    peer_s = (time.perf_counter() - start_s) / len(compared)
    seconds = np.mean([len(sound) for sound in ours if not isinstance(sound, str)]) / audio.sample_rate
    print(f"{len(compared)} samples of {seconds:.1f} s on one core")
    print(f"  {audio.files_per_process} files per process, checked: {1000 * ours_s:6.1f} ms a sample")
    print(f"  one process per sample:         {1000 * peer_s:6.1f} ms a sample")
    print(f"  ratio: {peer_s / ours_s:.2f} (target 1.5)")

    with tempfile.TemporaryDirectory() as name:
        stage_s = run_stage(samples[: args.items], audio, compute, Path(name))
    minutes = stage_s / args.items * DISSERTATION_SAMPLES / 60
    print(f"stage, {args.items} samples on {compute.n_workers} cores: {stage_s:.1f} s")
    print(f"  {DISSERTATION_SAMPLES} samples: {minutes:.1f} minutes (target 10)")


if __name__ == "__main__":
    main()
