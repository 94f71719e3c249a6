"""`mtm.source: lmd`, from the archive to samples on disk; the bound is 30 s on 2 cores for all 11,517 files.

The peer does what a plain script does: it unpacks the archive to the disk, opens every file with numpy's own
unpickler (which runs whatever a file says) and flattens its notes; it neither groups, splits nor writes samples.

    python benchmarks/lmd_samples.py ../shared/data/lyrics-melody-79719791.tar.gz --items 500
"""

from __future__ import annotations

import argparse
import resource
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _measure import arguments

from unisono.config.mtm import Mtm
from unisono.datasets.mtm import build


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - processor


def trimmed(archive: Path, n_files: int, folder: Path) -> Path:
    """Make an archive of the first `n_files` ``.npy`` files of another one."""
    result = folder / "trimmed.tar.gz"
    with tarfile.open(archive, "r|gz") as source, tarfile.open(result, "w:gz") as target:
        for member in source:
            if n_files and member.name.endswith(".npy"):
                target.addfile(member, source.extractfile(member))
                n_files -= 1
    return result


def peer(archive: Path, folder: Path) -> int:
    """Unpack, load with numpy, flatten; return the number of notes."""
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    n_notes = 0
    for path in sorted(folder.rglob("*.npy")):
        discrete = np.load(path, allow_pickle=True)[0, 1]
        n_notes += len([note for sentence in discrete for word in sentence for note in word])
    return n_notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="the lyrics-melody data, .tar.gz")
    parser.add_argument("--items", type=int, default=0, help="files to read; 0 = all")
    args = arguments(parser)
    params = Mtm.load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = trimmed(args.archive, args.items, folder) if args.items else args.archive
        lmd = params.songs.lmd.model_copy(update={"location": str(archive)})
        songs = params.songs.model_copy(update={"lmd": lmd})
        params = params.model_copy(update={"source": "lmd", "songs": songs})

        def ours() -> None:
            facts = build.build(
                params, out=folder / "out", skipped=folder / "skipped.csv", summary=folder / "summary.json"
            )
            print(f"{facts['files']['n_files']} files, {facts['n_samples']} samples, {facts['n_songs']} songs")

        wall, processor = timed(ours)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"ours, archive to shards        {wall:6.1f} s   {processor:6.1f} s of processor   {memory:.2f} GiB")
        wall, processor = timed(lambda: peer(archive, folder / "unpacked"))
        print(f"peer, archive to flat notes    {wall:6.1f} s   {processor:6.1f} s of processor")


if __name__ == "__main__":
    main()
