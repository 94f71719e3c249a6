"""Sheet music: many fragments per LilyPond run against one LilyPond process per fragment, and the whole stage.

The same fragments (20 notes with their syllables) go both ways in this run, on one core, both to cropped PNG; then the
stage itself runs on all cores, from sample shards to picture shards.

    python benchmarks/engrave_sheet.py --items 14454
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from _measure import arguments

from unisono.config.compute import Compute
from unisono.config.mtm import Engraver, Mtm
from unisono.io import parquet
from unisono.media import engraving, lilypond, notation

DISSERTATION_SAMPLES = 14_454
SYLLABLES = ("Wie", "der", "se", "hen", "a", "mo", "re", "Gott", "ein", "fes", "te", "Burg", "schlaf", "fet")


def make_samples(n_items: int) -> tuple[np.ndarray, list[list[str]], np.ndarray]:
    """Random tonal melodies of about 26 beats: notes (n, 20, 3), syllables, and the word of each, (n, 20)."""
    rng = np.random.default_rng(0)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    steps = np.clip(
        35 + rng.integers(-4, 5, (n_items, 1)) + np.cumsum(rng.integers(-2, 3, (n_items, 20)), axis=1), 25, 45
    )
    pitches = 12 * (steps // 7) + scale[steps % 7] + rng.integers(0, 12, (n_items, 1)) - 5
    durations = rng.choice([0.25, 0.5, 1.0, 2.0], (n_items, 20), p=[0.1, 0.3, 0.4, 0.2])
    rests = rng.choice([0.0, 1.0, 4.0], (n_items, 20), p=[0.85, 0.1, 0.05])
    words = np.cumsum(rng.random((n_items, 20)) < 0.6, axis=1)
    return np.stack([pitches, durations, rests], axis=-1), rng.choice(SYLLABLES, (n_items, 20)).tolist(), words


def run_stage(n_items: int, engraver: Engraver, shard_size: int, compute: Compute, folder: Path) -> float:
    """Seconds that the stage takes from sample shards to picture shards."""
    notes, syllables, words = make_samples(n_items)
    for i, start in enumerate(range(0, n_items, shard_size)):
        rows = slice(start, start + shard_size)
        parquet.write(
            folder / "samples" / parquet.shard_name(i),
            {
                "id": [f"{start + k}" for k in range(len(notes[rows]))],
                "notes": notes[rows],
                "syllables": syllables[rows],
                "word_index": words[rows],
            },
            types={
                "id": pa.string(),
                "notes": pa.list_(pa.list_(pa.float32(), 3), 20),
                "syllables": parquet.strings(20),
                "word_index": pa.list_(pa.int32(), 20),
            },
            metadata={"dataset": "mtm", "source": "benchmark"},
        )
    began = time.perf_counter()
    engraving.engrave_folder(
        folder / "samples", folder / "out", folder / "skipped.csv", engraver, engrave_lyrics=True, compute=compute
    )
    seconds = time.perf_counter() - began
    made = parquet.read(folder / "out", ["id"]).num_rows
    if made != n_items:
        raise SystemExit(f"only {made} of {n_items} fragments were engraved: {(folder / 'skipped.csv').read_text()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=DISSERTATION_SAMPLES, help="fragments for the stage")
    parser.add_argument("--peer-items", type=int, default=20, help="fragments for the peer")
    parser.add_argument("--runs", type=int, default=2, help="full runs to set against the peer")
    args = arguments(parser, items=2, peer_items=1, runs=1)
    params, compute = Mtm.load(), Compute.load()
    engraver = params.engraver
    if args.smoke:
        engraver = engraver.model_copy(update={"fragments_per_run": 2})
    size = engraver.fragments_per_run

    scores = [
        notation.score(notes, syllables=syllables, word_index=words)
        for notes, syllables, words in zip(*make_samples(max(args.runs * size, args.peer_items)), strict=True)
    ]
    settings = {"resolution_dpi": engraver.resolution_dpi, "timeout_s": engraver.timeout_s}
    began = time.perf_counter()
    alone = lilypond.engrave(scores[: args.peer_items], scores_per_run=1, **settings)
    peer = (time.perf_counter() - began) / args.peer_items
    began = time.perf_counter()
    together = lilypond.engrave(scores[: args.runs * size], scores_per_run=size, **settings)
    ours = (time.perf_counter() - began) / (args.runs * size)
    n_same = min(args.peer_items, len(together))
    print(f"one process per fragment  {1000 * peer:7.1f} ms per fragment and core")
    print(
        f"{size:3d} fragments per process {1000 * ours:7.1f} ms per fragment and core: {peer / ours:.1f} times faster"
    )
    print(f"same bytes: {alone[:n_same] == together[:n_same]}")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = compute.model_copy(update={"scratch": folder / "scratch"})
        seconds = run_stage(args.items, engraver, params.songs.shard_size, own, folder)
    print(
        f"stage: {args.items} fragments in {seconds:.1f} s on {compute.n_workers} cores; "
        f"{DISSERTATION_SAMPLES} take {seconds / args.items * DISSERTATION_SAMPLES / 60:.1f} min at this rate"
    )


if __name__ == "__main__":
    main()
