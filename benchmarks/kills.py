"""Killed runs: a small pipeline is killed at many moments, goes on by itself, and gives the bytes of one left alone.

Each run begins with a finished pipeline on tiny data in which one edit makes about half of the stages run again. A
signal goes to DVC, to the stage, to one of its workers, or to all of them: at a random moment, or the moment DVC
writes ``dvc.lock`` or its ``rwlock``. Then what `make repro` does (`unisono mend`, `dvc repro`, `unisono verify`) must
end well with the bytes of a run that nobody killed, and leave no process and no temporary file behind.

    python benchmarks/kills.py --runs 30
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.pipeline.tiny import Clone
from tests.pipeline.tiny import finished as run_once

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("dvc", "stage", "worker", "group")
MOMENTS = ("random", "random", "dvc.lock", "rwlock")
#: What torch makes in the folder for temporary files, killed or not.
ALWAYS_LEFT = {f"torchinductor_{getpass.getuser()}"}
#: What differs from run to run: seconds, and who ran.
UNCOMPARED = ("results/timing",)


def edit_songs(params: dict[str, Any]) -> None:
    params["mtm"]["songs"]["shard_size"] = 6


def edit_clips(params: dict[str, Any]) -> None:
    params["vegas"]["clips"]["digits"]["seed"] = 7


def edit_models(params: dict[str, Any]) -> None:
    for name in ("cca", "gcca", "c_cca", "tnn_c_cca"):
        params["models"][name]["n_components"] = 3


def edit_pictures(params: dict[str, Any]) -> None:
    params["image2song"]["relevance"]["max_song_fraction"] = 0.6


EDITS = (edit_songs, edit_clips, edit_models, edit_pictures)


class Project(Clone):
    """A copy of a finished project, with a folder of its own for temporary files."""

    def __init__(self, finished: Path, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["cp", "-a", "--reflink=auto", str(finished), str(folder)], check=True)
        self.temporary = folder.with_name(f"{folder.name}-tmp")
        self.temporary.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src"), "TMPDIR": str(self.temporary)}

    def finish(self) -> float:
        """Do what `make repro` does; return seconds."""
        started = time.perf_counter()
        for command in (["unisono", "mend"], ["dvc", "repro"], ["unisono", "verify", "--quick"]):
            module = ["python", "-m", "unisono", *command[1:]] if command[0] == "unisono" else command
            done = self.run(*module)
            if done.returncode:
                raise AssertionError(f"{' '.join(command)}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        return time.perf_counter() - started

    def files(self) -> dict[str, str]:
        """Digest of every file of data and results."""
        found = {}
        for top in ("data", "results"):
            for path in sorted((self.folder / top).rglob("*")):
                name = str(path.relative_to(self.folder))
                if path.is_file() and not name.startswith(UNCOMPARED):
                    found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def lineage(dvc: subprocess.Popen[bytes]) -> Iterator[list[psutil.Process]]:
    """Yield DVC, the Python of its stage, and that one's workers, as they are now."""
    try:
        root = psutil.Process(dvc.pid)
        below = root.children(recursive=True)
        stages = [each for each in below if "stages." in " ".join(each.cmdline())]
        workers = [each for stage in stages[-1:] for each in stage.children(recursive=True)]
        yield [root]
        yield stages[-1:]
        yield workers[:1]
    except psutil.Error:
        return


def hit(dvc: subprocess.Popen[bytes], target: str, number: signal.Signals) -> str:
    """Send the signal; return who got it."""
    if target == "group":
        os.killpg(dvc.pid, number)
        return target
    levels = list(lineage(dvc))
    # Where there is no worker, or no stage, the next above.
    for level in reversed(levels[: TARGETS.index(target) + 1]):
        for process in level:
            process.send_signal(number)
            return TARGETS[levels.index(level)]
    return "nobody"


def wait_for(moment: str, folder: Path, dvc: subprocess.Popen[bytes], seconds: float, nth: int) -> None:
    """Wait for some seconds, or until a lock is written the nth time."""
    deadline = time.monotonic() + seconds
    path = folder / ("dvc.lock" if moment == "dvc.lock" else ".dvc/tmp/rwlock")
    seen, changed = None, 0
    while dvc.poll() is None and (moment != "random" or time.monotonic() < deadline):
        if moment == "random":
            time.sleep(0.05)
            continue
        try:
            found = path.stat()
        except OSError:
            continue
        state = (found.st_size, found.st_mtime_ns)
        changed += seen is not None and state != seen
        seen = state
        # While it is written it is empty or short.
        if changed >= nth and (found.st_size == 0 or changed > nth + 4):
            return


def one(number: int, draw: random.Random, finished: Path, expected: dict[str, dict[str, str]], work: Path) -> str:
    """Kill a run and let it go on; return what happened."""
    edit = draw.choice(EDITS)
    which, target, moment = draw.choice(SIGNALS), draw.choice(TARGETS), draw.choice(MOMENTS)
    seconds, nth = draw.uniform(3, 60), draw.randint(1, 40)
    project = Project(finished, work / f"run{number}")
    try:
        project.edit(edit)
        dvc = project.start("dvc", "repro")
        wait_for(moment, project.folder, dvc, seconds, nth)
        ended = dvc.poll() is not None
        who = "nobody: it had ended" if ended else hit(dvc, target, which)
        if target != "group" and not ended and who not in ("dvc", "group"):
            dvc.wait(600)
        elif not ended:
            # What DVC started may outlive it; a user would run the command again at once.
            try:
                dvc.wait(120)
            except subprocess.TimeoutExpired:
                os.killpg(dvc.pid, signal.SIGKILL)
                dvc.wait()
        orphans = [each for each in psutil.process_iter(["environ"]) if _of(each, project.temporary)]
        psutil.wait_procs(orphans, timeout=60)
        locks = [f"{name} empty" for name in ("dvc.lock", ".dvc/tmp/rwlock") if _empty(project.folder / name)]
        took = project.finish()
        found = project.files()
        wanted = expected[edit.__name__]
        different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        left = [path.name for path in project.temporary.iterdir() if path.name not in ALWAYS_LEFT]
        running = [each.pid for each in psutil.process_iter(["environ"]) if _of(each, project.temporary)]
        verdict = "same bytes" if not different else f"DIFFERENT: {different[:5]}"
        verdict += f"; LEFT: {left[:5]}" if left else ""
        verdict += f"; RUNNING: {running}" if running else ""
    except AssertionError as error:
        return f"{edit.__name__} {which.name} to {target} at {moment}: FAILED: {error}"
    else:
        return (
            f"{edit.__name__} {which.name} to {who} at {moment}{''.join(f', {lock}' for lock in locks)}: {verdict}, "
            f"{took:.0f} s to finish"
        )
    finally:
        shutil.rmtree(project.folder, ignore_errors=True)
        shutil.rmtree(project.temporary, ignore_errors=True)


def _of(process: psutil.Process, temporary: Path) -> bool:
    try:
        return (process.info["environ"] or {}).get("TMPDIR") == str(temporary)
    except psutil.Error:
        return False


def _empty(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0


def main() -> int:
    """Print a line per run; exit status 1 where one is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finished", type=Path, help="folder for the finished pipeline, kept for the next time")
    args = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        work = Path(name)
        finished = args.finished or work / "finished"
        if not finished.exists():
            run_once(finished)
        expected = {}
        for edit in EDITS:
            project = Project(finished, work / edit.__name__)
            project.edit(edit)
            print(f"{edit.__name__}: {project.finish():.0f} s undisturbed", flush=True)
            expected[edit.__name__] = project.files()
            shutil.rmtree(project.folder)
        for number in range(args.runs):
            # Of its own, so that a run can be repeated alone.
            line = one(number, random.Random(f"{args.seed} {number}"), finished, expected, work)
            bad += "same bytes, " not in line
            print(f"{number}: {line}", flush=True)
    print(f"{args.runs - bad} of {args.runs} runs ended with the same bytes and nothing left behind")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
