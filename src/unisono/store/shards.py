"""Work over shards in several processes, so that nothing finished is ever done twice.

**Conventions.** The unit of work is a `Shard`: one file of the output folder. A function makes that file and
returns a small JSON-able value (counts, skipped rows). What is finished waits in ``compute.scratch`` under a
fingerprint of everything it was made from, and moves into the output folder when all is done: the folder is
never half filled, and a run that was interrupted, killed or out of disk goes on where it stopped. Each worker
uses a fixed number of threads: the bytes do not depend on how many workers there are.
"""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from unisono.config.compute import Compute
from unisono.errors import DataError, ProgramError, UnisonoError
from unisono.io.files import replacing
from unisono.store.code import code_version

#: Read by OpenMP, the BLAS libraries, TensorFlow and numba when they are first imported.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


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


class _Job(NamedTuple):
    """A shard with the folder of its checkpoint, and the call as it is sent to a worker."""

    shard: Shard
    folder: Path
    call: bytes

    @property
    def started(self) -> Path:
        """Marker that a worker has taken the job."""
        return self.folder / "started"


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
    jobs = _jobs(function, shards, scratch, params)
    total = sum(max(shard.n_items, 1) for shard in shards)
    with (
        tqdm(total=total, desc=description, unit="item", disable=None) as bar,
        _threads(compute.threads_per_worker),
    ):
        todo = []
        for job in jobs:
            if _finished(job):
                bar.update(max(job.shard.n_items, 1))
            else:
                todo.append(job)
        lost = _Run(compute, len(todo), bar).run(todo)
    if lost:
        raise ProgramError(
            f"{description}: {len(lost)} of {len(jobs)} shards were given up, since their worker process was "
            f"killed each time (out of memory?): {', '.join(job.shard.name for job in lost)}; the others are "
            "kept: run the same command to try these alone again"
        )
    values = [json.loads(_record(job).read_text(encoding="utf-8"))["value"] for job in jobs]
    _deliver(jobs, out)
    shutil.rmtree(scratch, ignore_errors=True)
    return values


class _Run:
    """The work that one call of `map_shards` still has to do."""

    def __init__(self, compute: Compute, n_jobs: int, bar: Any) -> None:
        self.compute = compute
        self.n_workers = max(min(compute.n_workers, n_jobs), 1)
        self.bar = bar

    def run(self, jobs: Iterable[_Job]) -> list[_Job]:
        """Do all jobs; return those whose worker was killed each time."""
        pending = deque(jobs)
        suspects: list[_Job] = []
        idle = 0
        while pending:
            unfinished = self._drain(self.n_workers, pending)
            # A dead worker takes the pool with it: those that no worker had begun are not to blame.
            begun = [job for job in unfinished if job.started.exists()]
            pending.extendleft(job for job in reversed(unfinished) if not job.started.exists())
            suspects += begun
            idle = idle + 1 if unfinished and not begun else 0
            if idle > self.compute.retries:
                raise ProgramError(
                    f"worker processes die before they begin ({idle} times); set compute.executor to serial to see why"
                )
        return [job for job in suspects if not self._alone(job)]

    def _alone(self, job: _Job) -> bool:
        """Try a suspect in a pool of its own, and again; say whether it was finished."""
        return any(not self._drain(1, deque([job])) for _ in range(1 + self.compute.retries))

    def _drain(self, n_workers: int, pending: deque[_Job]) -> list[_Job]:
        """Work until nothing is pending or the pool breaks; return the jobs that went down with it."""
        running: dict[Future[None], _Job] = {}
        lost: list[_Job] = []
        failure: BaseException | None = None
        window = 1 if self.compute.executor == "serial" else 2 * n_workers
        with self._executor(n_workers) as executor:
            while running or (pending and not (lost or failure)):
                while pending and len(running) < window and not (lost or failure):
                    job = pending.popleft()
                    job.started.unlink(missing_ok=True)
                    try:
                        running[executor.submit(_work, job.call, job.started)] = job
                    except BrokenExecutor:
                        lost.append(job)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    error = _outcome(future)
                    if error is None or _finished(job):
                        self.bar.update(max(job.shard.n_items, 1))
                    elif isinstance(error, BrokenExecutor):
                        lost.append(job)
                    else:
                        failure = failure or error
                        for other in running:
                            other.cancel()
        if failure:
            raise failure
        return lost

    @contextmanager
    def _executor(self, n_workers: int) -> Iterator[Executor]:
        """Open a pool of spawned workers (or the serial stand-in); on an interrupt, kill them at once."""
        if self.compute.executor == "serial":
            yield _Serial()
            return
        before = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(n_workers, mp_context=context, initializer=_start) as executor:
            try:
                yield executor
            except BaseException:
                for child in set(multiprocessing.active_children()) - before:
                    child.kill()
                raise


class _Serial(Executor):
    """An executor that does the work where it is submitted: a debugger and a profiler see it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _outcome(future: Future[None]) -> BaseException | None:
    """Return what a finished future raised, if anything."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _start() -> None:
    """Prepare a worker: leave Ctrl-C to the parent, and end when the parent does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _work(call: bytes, started: Path) -> None:
    """Do one shard in a worker; its file and value are in their place only when both are complete."""
    started.parent.mkdir(parents=True, exist_ok=True)
    started.touch()
    # Our own bytes. Unpickled here, as a failure inside the pool's machinery would look like a dead worker.
    function, shard, params = pickle.loads(call)  # noqa: S301
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
        raise _portable(error, f"in shard {shard.name} of {function.__qualname__}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _portable(error: Exception, where: str) -> Exception:
    """Make an exception fit to be sent to the parent, and say where it happened."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(f"{where}: {error.strerror}; free space and run again, what was finished is kept")
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        copy = None
    if type(copy) is not type(error):
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(copy, UnisonoError):
        copy.add_note(where)
    return copy


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Fix the threads of libraries loaded here and, by the environment, of those loaded later."""
    wanted = dict.fromkeys(THREAD_VARIABLES, str(n)) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with threadpool_limits(n):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _jobs(function: Function, shards: Sequence[Shard], scratch: Path, params: Mapping[str, Any]) -> list[_Job]:
    """Give every shard the folder that its fingerprint names."""
    source = Path(str(sys.modules[function.__module__].__file__))
    common = _hash(function.__qualname__, code_version(source), _canonical(params))
    known: dict[Path, str] = {}
    jobs = []
    for shard in shards:
        for path in shard.inputs:
            if path not in known:
                known[path] = _content(path)
        inputs = [known[path] for path in shard.inputs]
        fingerprint = _hash(common, shard.name, _canonical(shard.extra), *inputs)
        jobs.append(_Job(shard, scratch / fingerprint, pickle.dumps((function, shard, params))))
    return jobs


def _record(job: _Job) -> Path:
    return job.folder / f"{job.shard.name}.json"


def _finished(job: _Job) -> bool:
    """Say whether a job's checkpoint is complete."""
    try:
        size = json.loads(_record(job).read_text(encoding="utf-8"))["size"]
        return bool((job.folder / job.shard.name).stat().st_size == size)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _deliver(jobs: Sequence[_Job], out: Path) -> None:
    """Put the finished files into `out`, which holds them all or is left as it was."""
    fresh, old = (out.with_name(f".{out.name}.{word}") for word in ("new", "old"))
    try:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.mkdir(parents=True)
        for job in jobs:
            source, target = job.folder / job.shard.name, fresh / job.shard.name
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
        raise DataError(
            f"{out}: cannot be written: {error.strerror or error}; free space or check permissions "
            "and run again, what was finished is kept"
        ) from error


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
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; run the stage that writes it") from error
