"""Damaged and hostile files for everything that reads files from outside.

Every reader of `READERS` gets good files, which it must read, and then changed ones (`fuzzing.mutators`), at least
half of them by someone who knows the format. Each goes to a process of its own, forked off one that has imported the
modules and never used them. It must read the file or refuse it with one line (`UnisonoError`), within 10 s and 2 GB,
start nothing and write nothing outside of its own folder.

    python benchmarks/fuzz.py --seed 1
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import functools
import importlib
import itertools
import json
import os
import platform
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzzing import fields, mutators
from fuzzing.readers import READERS
from fuzzing.reading import Reader
from tqdm import tqdm

from unisono import errors
from unisono.errors import MachineError, UnisonoError

#: Fewest inputs of a reader, and in all.
FLOOR, FLOOR_IN_ALL = 40, 1500
#: Longest time, by the clock without what other processes had of it, and by the processor; most memory.
TIME_S, MEMORY_BYTES = 10.0, 2 * 2**30
#: Longest line that a user is to read.
LINE = 2000
#: Nets that only catch what the limits above have missed.
NET_BYTES = 24 * 2**30

# ---- One input, in a process of its own ----


class Outcome(NamedTuple):
    """What became of an input: kind (of `KINDS`), what was said, seconds, bytes above the process's own."""

    kind: str
    text: str
    seconds: float
    memory_bytes: int


#: The first two are as it should be.
KINDS = ("read", "refused", "traceback", "hang", "memory", "executed", "written", "died")
_STARTS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
}
_STARTS |= {"socket.connect", "socket.bind", "webbrowser.open"}
#: Events of the file system, by how many of their first arguments are paths.
_CHANGES = {
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
}
_CHANGES |= {"os.chmod": 1, "os.chown": 1, "os.utime": 1, "shutil.rmtree": 1}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def attempt(
    read: Callable[[Path], Any],
    path: Path,
    *,
    elsewhere: Path,
    time_s: float = TIME_S,
    memory_bytes: int = MEMORY_BYTES,
) -> Outcome:
    """Read a file in a forked process and tell what became of it.

    Parameters
    ----------
    read : callable
    path : Path
        In a folder of its own, where all may be written.
    elsewhere : Path
        The folder to run in, where nothing may be.
    time_s, memory_bytes : float, int
        The limits.
    """
    receiver, sender = os.pipe()
    base = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    before, started = sorted(os.listdir(elsewhere)), time.monotonic()  # noqa: PTH208
    child = os.fork()
    if child == 0:
        os.close(receiver)
        try:
            _in_child(read, path, elsewhere, sender)
        finally:
            os._exit(70)
    os.close(sender)
    ended, ran_s, waited_s, peak, pause_s = "", 0.0, 0.0, 0, 0.001
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        ran_s, waited_s, now = _used(child, ran_s, waited_s)
        peak = max(peak, now)
        clock_s = time.monotonic() - started - waited_s
        if not ended and (ran_s > time_s or clock_s > time_s):
            ended = "hang"
        elif not ended and now > 3 * memory_bytes + 2**30:
            ended = "memory"
        if ended:
            os.kill(child, signal.SIGKILL)
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.05)
    with os.fdopen(receiver, "rb") as file:
        said = file.read()
    seconds = max(usage.ru_utime + usage.ru_stime, min(time.monotonic() - started - waited_s, time_s * 2))
    found = json.loads(said) if said.endswith(b"}") else {"kind": "died", "text": f"status {status}", "base": base}
    used = max(usage.ru_maxrss * 1024, peak) - found["base"]
    kind, text = found["kind"], found["text"]
    noted = found.get("noted") or [["written", each] for each in os.listdir(elsewhere) if each not in before]  # noqa: PTH208
    if ended == "hang":
        kind, text = "hang", f"more than {time_s:g} s"
    elif ended or used > memory_bytes:
        kind, text = "memory", f"{used / 2**20:,.0f} MB; {text}"
    elif noted:
        kind, text = noted[0][0], "; ".join(what for _, what in noted[:5])
    return Outcome(kind, text, seconds, max(used, 0))


def _used(process: int, ran_s: float, waited_s: float) -> tuple[float, float, int]:
    """Give seconds that a process ran and waited for a processor, and its memory; as before where it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        waited = int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
        ran = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return ran, max(waited, waited_s), int(fields[21]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return ran_s, waited_s, 0


def _in_child(read: Callable[[Path], Any], path: Path, elsewhere: Path, sender: int) -> None:
    """Read the file, watched, and say what became of it."""
    faulthandler.disable()
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    temporary = path.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"], tempfile.tempdir, sys.dont_write_bytecode = str(temporary), None, True
    os.chdir(elsewhere)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages, resident = map(int, Path("/proc/self/statm").read_text().split()[:2])
    size = resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages * size + NET_BYTES, resource.RLIM_INFINITY))
    noted: list[tuple[str, str]] = []
    sys.addaudithook(functools.partial(_watch, noted, os.path.realpath(path.parent)))
    found: dict[str, Any]
    try:
        result = read(path)
        if isinstance(result, Iterator):
            collections.deque(result, maxlen=0)
        found = {"kind": "read", "text": ""}
    except UnisonoError as error:
        line = errors._said(error)
        fault = isinstance(error, MachineError) or errors.machine_fault(error) or len(line) > LINE or not line
        found = {"kind": "traceback" if fault else "refused", "text": f"{type(error).__name__}: {line}"[:3000]}
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in where if "/unisono/" in frame.filename] or list(where)
        last = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
        found = {"kind": "traceback", "text": f"{type(error).__name__}: {str(error)[:300]} ({last})"}
    watched = list(noted)
    data = json.dumps({**found, "base": resident * size, "noted": watched[:5]}).encode("utf-8", "replace")
    os.write(sender, data[:60_000])
    os._exit(0)


def _watch(noted: list[tuple[str, str]], folder: str, event: str, args: Sequence[Any]) -> None:
    """Note what starts a program, connects, or changes files outside of the input's folder."""
    if event in _STARTS:
        noted.append(("executed", f"{event} {args[:2]!r}"[:300]))
        return
    if event == "open":
        changed = args[:1] if (args[2] or 0) & _WRITES else ()
    else:
        changed = args[: _CHANGES.get(event, 0)]
    for each in changed:
        if not isinstance(each, str | bytes | os.PathLike):
            continue
        name = os.fsdecode(each)
        handle = next((arg for arg in reversed(args) if isinstance(arg, int) and arg > 2), -1)
        if not name.startswith("/") and event != "open" and handle > 2:
            name = os.path.join(f"/proc/self/fd/{handle}", name)  # noqa: PTH118
        place = os.path.realpath(name)
        if place != os.devnull and place != folder and not place.startswith(folder + "/"):
            noted.append(("written", f"{event} {place}"[:300]))


# ---- Many inputs ----


class Input(NamedTuple):
    """A changed file, by whom it was changed (aware of the format or not), and how."""

    path: Path
    aware: bool
    said: str


def in_fork(function: Callable[[], None]) -> None:
    """Call a function in a process of its own, so that this one uses no library."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        sys.setrecursionlimit(20_000)
        try:
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the inputs could not be made")


def make(name: str, reader: Reader, n: int, seed: int, folder: Path) -> tuple[list[Path], list[Input]]:
    """Write the good files of a reader and `n` changed ones, each into a folder of its own."""
    notes = folder / "notes.json"

    def write() -> None:
        good, said = reader.good(), []
        for index, data in enumerate(good):
            _write(folder / f"good{index}" / reader.file, data)
        for index in range(n):
            # Of its own, so that one can be made again alone.
            draw = random.Random(f"{seed} {name} {index}")
            aware = index % 5 < 3
            mutator = draw.choice(mutators.AWARE[reader.format] if aware else fields.BLIND)
            data, what = mutator(draw, draw.choice(good))
            _write(folder / f"{index:03d}" / reader.file, data)
            said.append([aware, f"{mutator.__name__}: {what}"])
        notes.write_text(json.dumps([len(good), said]), encoding="utf-8")

    in_fork(write)
    n_good, said = json.loads(notes.read_text(encoding="utf-8"))
    paths = [folder / f"good{index}" / reader.file for index in range(n_good)]
    return paths, [Input(folder / f"{i:03d}" / reader.file, *each) for i, each in enumerate(said)]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


class Row(NamedTuple):
    """What became of a reader's inputs."""

    name: str
    inputs: list[Input]
    outcomes: list[Outcome]

    def faults(self) -> Iterator[tuple[Input, Outcome]]:
        """Yield what is not as it should be."""
        for each, outcome in zip(self.inputs, self.outcomes, strict=True):
            if outcome.kind not in KINDS[:2]:
                yield each, outcome

    def cells(self) -> list[str]:
        """Write the row of the table."""
        kinds = collections.Counter(outcome.kind for outcome in self.outcomes)
        slowest = max(outcome.seconds for outcome in self.outcomes)
        largest = max(outcome.memory_bytes for outcome in self.outcomes) / 2**20
        aware = sum(each.aware for each in self.inputs)
        faults = len(self.outcomes) - kinds["read"] - kinds["refused"]
        counts = [len(self.inputs), aware, kinds["read"], kinds["refused"], faults]
        return [self.name, *map(str, counts), f"{slowest:.1f}", f"{largest:,.0f}"]


def run(names: Iterable[str], n: int, seed: int, folder: Path) -> Iterator[Row]:
    """Fuzz readers one after the other; the files of what went well are removed."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).parents[1] / "params.yaml", elsewhere)
    # What needs large libraries last: they are imported, and never unloaded.
    chosen = sorted(names, key=lambda name: [big in READERS[name].needs for big in ("tensorflow", "torch")])
    platform.platform()  # Python runs uname, once, where a library asks for it
    with tqdm(total=len(chosen) * n, unit=" inputs", disable=None) as bar:
        for name in chosen:
            reader, place = READERS[name], folder / name.replace(" ", "_")
            bar.set_description(name)
            for module in (*reader.needs, *(f"unisono.{each.rpartition('.')[0]}" for each in reader.covers)):
                _import(module)
            good, files = make(name, reader, n, seed, place)
            for path in good:
                outcome = attempt(reader.read, path, elsewhere=elsewhere)
                if outcome.kind != "read":
                    raise SystemExit(f"{name}: a good file is not read: {outcome.kind}: {outcome.text}")
            outcomes = []
            for each in files:
                outcomes.append(attempt(reader.read, each.path, elsewhere=elsewhere))
                if outcomes[-1].kind in KINDS[:2]:
                    shutil.rmtree(each.path.parent)
                bar.update()
            yield Row(name, files, outcomes)


def _import(module: str) -> None:
    while module:
        try:
            importlib.import_module(module)
            return
        except ModuleNotFoundError:
            module = module.rpartition(".")[0]  # the name of a class


def found(names: Sequence[str], n: int, seed: int, folder: Path, rows: list[Row]) -> Iterator[Row]:
    """Fuzz readers, print every fault, and keep the rows."""
    for row in run(names, n, seed, folder):
        rows.append(row)
        for each, outcome in row.faults():
            said = f"{outcome.text[:300]} | {each.said[:200]} | {each.path}"
            tqdm.write(f"{row.name}: {outcome.kind}: {said}", file=sys.stdout)
        yield row


def main() -> int:
    """Print the seed, a row per reader and every fault; exit status 1 where there is one, or too few inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=60, help="of each reader")
    parser.add_argument("--only", nargs="+", choices=sorted(READERS), metavar="NAME", help="readers")
    parser.add_argument("--keep", type=Path, help="folder for the inputs with faults (default: a temporary one)")
    parser.add_argument("--smoke", action="store_true", help="two inputs each, of the readers that import little")
    args = parser.parse_args()
    tqdm.monitor_interval = 0  # no thread: a process with one cannot be forked safely
    names, n = args.only or list(READERS), args.inputs
    if args.smoke:
        names = [name for name in names if not {"tensorflow", "torch"} & set(READERS[name].needs)]
        n = 2
    folder = args.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    print(f"seed {args.seed}, {n} inputs for each of {len(names)} readers", flush=True)
    # Row by row: a run that is interrupted has said what it found.
    widths = [max(map(len, names)), 6, 6, 6, 7, 6, 11, 12]
    header = ["reader", "inputs", "aware", "read", "refused", "faults", "slowest (s)", "largest (MB)"]
    rows: list[Row] = []
    for cells in itertools.chain([header], map(Row.cells, found(names, n, args.seed, folder.resolve(), rows))):
        line = "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])])
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()
    total, faults = sum(len(row.inputs) for row in rows), sum(len(list(row.faults())) for row in rows)
    aware = sum(each.aware for row in rows for each in row.inputs)
    print(f"seed {args.seed}: {total} inputs, {aware} aware, {faults} faults")
    few = not (args.only or args.smoke) and (total < FLOOR_IN_ALL or any(len(row.inputs) < FLOOR for row in rows))
    if few:
        print(f"fewer than {FLOOR} inputs of a reader, or {FLOOR_IN_ALL} in all")
    if not faults and args.keep is None:
        shutil.rmtree(folder)
    return int(faults > 0 or few)


if __name__ == "__main__":
    raise SystemExit(main())
