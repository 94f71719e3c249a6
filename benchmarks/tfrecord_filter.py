"""Filtering a TFRecord file of frame-level records against tf.data's full parse, and over two workers.

Run as ``python benchmarks/tfrecord_filter.py --gigabytes 1``. Each measurement runs in a process of its own; the
best of three runs counts, with the file in the page cache.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _measure import arguments

from unisono.config.compute import Compute
from unisono.datasets.mv10k import filtering
from unisono.datasets.mv10k.rules import Rule
from unisono.io import sequence_example, tfrecord
from unisono.store.shards import Shard, map_shards

RULE = Rule("only_label", 213, 219)
RUNS = 3


def make(path: Path, gigabytes: float) -> int:
    """Write records of 216 frames, a tenth of which pass; return how many."""
    rng = np.random.default_rng(0)
    frames = {
        "rgb": rng.integers(0, 256, (216, 1024), np.uint8),
        "audio": rng.integers(0, 256, (216, 128), np.uint8),
    }
    variants = [sequence_example.encode(f"{i:06d}", [14] if i == 0 else [14, 3, 200 + i], frames) for i in range(10)]
    n = round(gigabytes * 1e9 / len(variants[0]))

    def records() -> Any:
        for i in range(n):
            # The id keeps its length, so that a record of another id differs in six bytes.
            yield variants[i % 10].replace(f"{i % 10:06d}".encode(), f"{i:06d}".encode(), 1)

    return tfrecord.write(path, records())


def ours(path: Path) -> int:
    accepted, _ = filtering.accept(tfrecord.read(path), RULE, name=path.name)
    return len(accepted)


def tensorflow(path: Path) -> int:
    """Parse every record fully, on all cores, and keep those that pass."""
    import tensorflow as tf

    def parse(record: Any) -> tuple[Any, Any, Any]:
        context, lists = tf.io.parse_single_sequence_example(
            record,
            context_features={
                "id": tf.io.FixedLenFeature([], tf.string),
                "labels": tf.io.VarLenFeature(tf.int64),
            },
            sequence_features={name: tf.io.FixedLenSequenceFeature([], tf.string) for name in ("rgb", "audio")},
        )
        rgb, audio = (tf.io.decode_raw(lists[name], tf.uint8) for name in ("rgb", "audio"))
        return tf.sparse.to_dense(context["labels"]), rgb, audio

    dataset = tf.data.TFRecordDataset(str(path)).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    passed = 0
    for labels, rgb, _ in dataset.prefetch(tf.data.AUTOTUNE):
        passed += labels.numpy().tolist() == [14] and 213 <= rgb.shape[0] <= 219
    return passed


def measure(function: Callable[[Path], int], path: Path, results: Any) -> None:
    """Time a function, and the peak memory of its process."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        passed = function(path)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.put({"s": min(times), "passed": passed, "peak_mb": round(peak)})


def alone(function: Callable[[Path], int], path: Path) -> dict[str, Any]:
    """Measure in a new process."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measure, args=(function, path, results))
    process.start()
    result: dict[str, Any] = results.get()
    process.join()
    return result


def filter_often(shard: Shard, destination: Path, params: dict[str, Any]) -> int:
    """Filter a file several times: work enough to outweigh the start of a worker."""
    passed = 0
    for _ in range(params["repeats"]):
        accepted, _ = filtering.accept(tfrecord.read(Path(params["path"])), RULE, name=shard.name)
        passed += len(accepted)
    destination.write_text(str(passed))
    return passed


def over_workers(path: Path, folder: Path, workers: int, repeats: int) -> float:
    """Seconds that `map_shards` takes for eight shards, the start of its workers included."""
    shards = [Shard(f"{i}.txt", extra={"run": workers}) for i in range(8)]
    compute = Compute(workers=workers, scratch=folder / f"scratch{workers}")
    start = time.perf_counter()
    map_shards(
        filter_often,
        shards,
        folder / f"out{workers}",
        params={"path": str(path), "repeats": repeats},
        compute=compute,
        description=f"{workers} workers",
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the file")
    parser.add_argument("--repeats", type=int, default=5, help="passes over the file per shard, for the workers")
    parser.add_argument("--folder", type=Path, help="where to write the file; a temporary folder by default")
    args = arguments(parser, gigabytes=0.001, repeats=1)
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        path = Path(temporary) / "records.tfrecord"
        n = make(path, args.gigabytes)
        size = path.stat().st_size / 1e9
        mine, theirs = alone(ours, path), alone(tensorflow, path)
        seconds = {workers: over_workers(path, Path(temporary), workers, args.repeats) for workers in (1, 2)}
    report = {
        "records": n,
        "gigabytes": round(size, 3),
        "unisono": {**mine, "gb_per_s": round(size / mine["s"], 2)},
        "tf.data": {**theirs, "gb_per_s": round(size / theirs["s"], 2)},
        "times_tf.data": round(theirs["s"] / mine["s"], 2),
        "two_workers_over_one": round(seconds[1] / seconds[2], 2),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
