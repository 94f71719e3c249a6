"""Full disk, read-only folder, short memory, few processes, at every stage of the small pipeline.

Each stage runs alone, on a copy of the finished small project in a file system of its own, under one of `CAUSES`. It
must end with status 2 and one line on standard error, without a traceback; where the cause does not reach it, it ends
well. After the cause is gone it must give the bytes of an undisturbed run. Needs root (mount, cgroups), on Linux.

    python benchmarks/limits.py [--finished FOLDER] [--stages build_songs ...] [--causes full ...]
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.pipeline.tiny import finished as run_once
from unisono.planning import dag
from unisono.store.tracked import digest

PIDS = Path("/sys/fs/cgroup/pids/unisono-limits")
#: Room that is left on the full disk, in bytes; address space of every process; processes and threads of all together.
ROOM, MEMORY, PROCESSES = 4096, 900 * 2**20, 3
CAUSES = ("full", "read-only", "memory", "processes")


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a file system of that size at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def cause(name: str, disk: Path) -> Iterator[Callable[[], None] | None]:
    """Bring about what is wrong; gives what the stage's process does first."""
    if name == "full":
        filler = disk / "filler"
        free = shutil.disk_usage(disk).free - ROOM
        with filler.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(1, free))
        yield None
        filler.unlink()
    elif name == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield None
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    elif name == "memory":
        yield lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    else:
        PIDS.mkdir(exist_ok=True)
        (PIDS / "pids.max").write_text(str(PROCESSES))
        yield lambda: (PIDS / "cgroup.procs").write_text(str(os.getpid())) and None
        with suppress(OSError):
            PIDS.rmdir()


def run(command: str, project: Path, env: dict[str, str], first: Callable[[], None] | None) -> tuple[int, list[str]]:
    """Run a stage; return its status and the lines of its standard error, of progress bars the last state only."""
    try:
        done = subprocess.run(
            shlex.split(command), cwd=project, env=env, capture_output=True, preexec_fn=first, timeout=900, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, ["no end after 900 s"]
    text = done.stderr.decode(errors="replace")
    lines = [line.rpartition("\r")[2] for line in text.splitlines()]
    # Warnings tell of the data, whatever else happens.
    other = re.compile(r"\d+%\||it/s|\d+it |^warning: ")
    return done.returncode, [line for line in lines if line.strip() and not other.search(line)]


def commands(project: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Command and outputs of every stage."""
    stages = dag.read(project / "dvc.yaml", (project / "params.yaml").read_text(encoding="utf-8"))
    lock = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {name: (lock[name]["cmd"], stage.outs) for name, stage in stages.items()}


def one(name: str, what: str, finished: Path, disk: Path, command: str, outs: tuple[str, ...]) -> str:
    """Run one stage under one cause, then without it; say what happened."""
    size = int(
        subprocess.run(["du", "-sm", str(finished)], capture_output=True, text=True, check=True).stdout.split()[0]
    )
    with mounted(disk, 2 * size + 400):
        project = disk / "project"
        ignore = shutil.ignore_patterns("cache", ".git", "fits", "drawn")
        shutil.copytree(finished, project, symlinks=True, ignore=ignore)
        (disk / "tmp").mkdir()
        env = {
            **os.environ,
            "PYTHONPATH": str(project / "src"),
            "TMPDIR": str(disk / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        expected = {out: digest(project / out) for out in outs if (project / out).exists() and "timing" not in out}
        for out in outs:
            path = project / out
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        command = re.sub(r"\bpython\b", sys.executable, command)
        # Shells and their `||` stay as they are.
        command = f"bash -c {shlex.quote(command)}"
        with cause(what, disk) as first:
            status, lines = run(command, project, env, first)
        said = lines[-1][:150] if lines else ""
        if status == 0:
            verdict = "not reached"
        elif status == 2 and len(lines) == 1 and said.startswith("error: "):
            verdict = "one line"
        elif status == 2 and said.startswith("error: ") and not any("Traceback" in line for line in lines):
            verdict = f"{len(lines)} LINES"
        else:
            verdict = f"STATUS {status}, {len(lines)} LINES"
        status, lines = run(command, project, env, None)
        found = {out: digest(project / out) for out in expected if (project / out).exists()}
        after = "same bytes" if status == 0 and found == expected else f"THEN STATUS {status}, OTHER BYTES {lines[-1:]}"
        # torch makes it whatever happens.
        left = [path.name for path in (disk / "tmp").iterdir() if not path.name.startswith("torchinductor_")]
        return f"{name} {what}: {verdict}; {after}{f'; LEFT {left[:3]}' if left else ''}; {said}"


def main() -> int:
    """Print a line per stage and cause; exit status 1 where one is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=Path, help="folder of the finished small project, kept for the next time")
    parser.add_argument("--stages", nargs="+", help="default: all")
    parser.add_argument("--causes", nargs="+", choices=CAUSES, default=CAUSES)
    args = parser.parse_args()
    bad = total = 0
    with tempfile.TemporaryDirectory(prefix="limits-") as name:
        finished = args.finished or Path(name) / "finished"
        if not finished.exists():
            run_once(finished)
        for stage, (command, outs) in commands(finished).items():
            if args.stages and stage.partition("@")[0] not in args.stages:
                continue
            for what in args.causes:
                started = time.perf_counter()
                line = one(stage, what, finished, Path(name) / "disk", command, outs)
                total += 1
                good = ("one line" in line or "not reached" in line) and "same bytes" in line and "LEFT" not in line
                bad += not good
                print(f"{'ok ' if good else 'BAD'} {line} ({time.perf_counter() - started:.0f} s)", flush=True)
    print(f"{total - bad} of {total} runs ended with one line, or well, and then with the same bytes")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
