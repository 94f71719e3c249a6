"""Work over shards in several processes, so that nothing finished is ever done twice.

**Conventions.** The unit of work is a `Shard`: one file of the output folder. A function makes that file and
returns a small JSON-able value (counts, skipped rows). What is finished waits in ``compute.scratch`` under a
fingerprint of everything it was made from, and moves into the output folder when all is done: the folder is
never half filled, and a run that was interrupted, killed or out of disk goes on where it stopped. Each worker
uses a fixed number of threads: the bytes do not depend on how many workers there are.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from unisono.config.compute import Compute
from unisono.errors import DataError, ProgramError, cannot_write, pass_machine
from unisono.io.files import replacing
from unisono.store.code import code_version
from unisono.store.executors import Killed, Scheduler, fixed_threads, portable


class Shard(NamedTuple):
    """One piece of work: a file to make.

    Attributes
    ----------
    name : str
        File name in the output folder, normally that of the input shard.
    inputs : tuple of Path
        Files (or folders) it is made from; their bytes are part of the fingerprint.
    n_items : int
        Rows in it, for the progress bar; 0 counts as one.
    extra : mapping
        JSON-able facts that the function needs for this shard alone; part of the fingerprint.
    """

    name: str
    inputs: tuple[Path, ...] = ()
    n_items: int = 0
    extra: Mapping[str, Any] = {}


Function = Callable[[Shard, Path, Mapping[str, Any]], Any]


class _Task(NamedTuple):
    """A shard with the folder of its checkpoint, and the work as it is sent to a worker."""

    shard: Shard
    folder: Path
    work: bytes

    @property
    def started(self) -> Path:
        """Marker that a worker has taken it."""
        return self.folder / "started"

    def call(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """See `unisono.store.executors.Task`."""
        self.started.unlink(missing_ok=True)
        return _work, (self.work, self.started)

    def begun(self) -> bool:
        """See `unisono.store.executors.Task`."""
        return self.started.exists()

    def finished(self) -> bool:
        """Say whether its checkpoint is complete."""
        try:
            size = json.loads(self.record.read_text(encoding="utf-8"))["size"]
            return bool((self.folder / self.shard.name).stat().st_size == size)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @property
    def record(self) -> Path:
        """File with the shard's size and value."""
        return self.folder / f"{self.shard.name}.json"


def map_shards(
    function: Function,
    shards: Sequence[Shard],
    out: Path,
    *,
    params: Mapping[str, Any],
    compute: Compute,
    description: str,
) -> list[Any]:
    """Make every shard of an output folder, in parallel, and go on from what an earlier run finished.

    Parameters
    ----------
    function : callable
        ``function(shard, destination, params) -> value``, defined at a module's top level. It writes exactly
        one file, at `destination`, and returns something JSON-able.
    shards : sequence of Shard
    out : Path
        Output folder. It is replaced as a whole when everything is done, and then holds these shards alone.
    params : mapping
        JSON-able parameters of `function` (paths are taken as text); part of the fingerprint.
    compute : Compute
        Executor, workers, threads per worker, retries, scratch folder; none of it changes a result. With
        ``executor: serial`` the work runs here, one shard after the other, with the same threads per worker;
        libraries that fix their threads at first use (TensorFlow) must not have been used before.
    description : str
        Title of the progress bar.

    Returns
    -------
    list
        The values, as JSON gives them back, in the order of `shards`.

    Raises
    ------
    ProgramError
        The worker of a shard was killed each time (out of memory, say). The other shards were finished first,
        and are kept: the next run repeats only those named.
    DataError
        An input is missing, or the disk is full. What was finished is kept.
    Exception
        Whatever `function` raised, once the shards then at work were finished (they are kept). Unless it is
        a `UnisonoError`, a note names the shard.
    """
    names = [shard.name for shard in shards]
    if len(set(names)) < len(names):
        raise ValueError(f"{out}: two shards of one name among {names}")
    scratch = compute.scratch.absolute() / f"{out.name}-{_hash(str(out.resolve()), function.__qualname__)[:12]}"
    tasks = _tasks(function, shards, scratch, params)
    total = sum(max(shard.n_items, 1) for shard in shards)
    killed: list[str] = []
    failure: BaseException | None = None
    with (
        tqdm(total=total, desc=description, unit="item", disable=None) as bar,
        fixed_threads(compute.threads_per_worker),
    ):
        todo = []
        for task in tasks:
            if task.finished():
                bar.update(max(task.shard.n_items, 1))
            else:
                todo.append(task)
        scheduler = Scheduler[_Task](compute, len(todo), method="spawn")
        for task, _, error in scheduler.run(todo):
            if error is None:
                bar.update(max(task.shard.n_items, 1))
            elif isinstance(error, Killed):
                killed.append(task.shard.name)
            else:
                failure = failure or error
                scheduler.stop()
    if failure:
        raise failure
    if killed:
        raise ProgramError(
            f"{description}: {len(killed)} of {len(tasks)} shards were given up, since their worker process was "
            f"killed each time (out of memory?): {', '.join(killed)}; the others are kept: run the same command to "
            "try these alone again"
        )
    values = [json.loads(task.record.read_text(encoding="utf-8"))["value"] for task in tasks]
    _deliver(tasks, out)
    shutil.rmtree(scratch, ignore_errors=True)
    return values


def _work(work: bytes, started: Path) -> None:
    """Do one shard in a worker; its file and value are in their place only when both are complete."""
    started.parent.mkdir(parents=True, exist_ok=True)
    started.touch()
    # Our own bytes. Unpickled here, as a failure inside the pool's machinery would look like a dead worker.
    function, shard, params = pickle.loads(work)  # noqa: S301
    unfinished = started.parent / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir()
        value = function(shard, unfinished / shard.name, params)
        final = started.parent / shard.name
        (unfinished / shard.name).replace(final)
        record = json.dumps({"size": final.stat().st_size, "value": value}, allow_nan=False)
        with replacing(final.with_name(f"{shard.name}.json")) as temporary:
            temporary.write_text(record, encoding="utf-8")
    except Exception as error:
        raise portable(error, f"in shard {shard.name} of {function.__qualname__}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _tasks(function: Function, shards: Sequence[Shard], scratch: Path, params: Mapping[str, Any]) -> list[_Task]:
    """Give every shard the folder that its fingerprint names."""
    source = Path(str(sys.modules[function.__module__].__file__))
    common = _hash(function.__qualname__, code_version(source), _canonical(params))
    known: dict[Path, str] = {}
    tasks = []
    for shard in shards:
        for path in shard.inputs:
            if path not in known:
                known[path] = _content(path)
        inputs = [known[path] for path in shard.inputs]
        fingerprint = _hash(common, shard.name, _canonical(shard.extra), *inputs)
        tasks.append(_Task(shard, scratch / fingerprint, pickle.dumps((function, shard, params))))
    return tasks


def _deliver(tasks: Sequence[_Task], out: Path) -> None:
    """Put the finished files into `out`, which holds them all or is left as it was."""
    fresh, old = (out.with_name(f".{out.name}.{word}") for word in ("new", "old"))
    try:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.mkdir(parents=True)
        for task in tasks:
            source, target = task.folder / task.shard.name, fresh / task.shard.name
            try:
                target.hardlink_to(source)  # the checkpoint stays until all are there
            except OSError:
                shutil.copyfile(source, target)
        if out.exists():
            out.rename(old)
        fresh.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise cannot_write(out, error, "then run again: what was finished is kept") from error


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _canonical(value: Mapping[str, Any]) -> str:
    """Write parameters as JSON that does not depend on the order of keys."""

    def plain(other: Any) -> str:
        if isinstance(other, Path):
            return other.as_posix()
        raise TypeError(f"{other!r} is not JSON-able; pass plain values as params and extra")

    return json.dumps(dict(value), sort_keys=True, default=plain)


def _content(path: Path) -> str:
    """Hash a file, or all files of a folder with their names."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            return _hash(*(part for file in files for part in (file.relative_to(path).as_posix(), _content(file))))
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; run the stage that writes it") from error
