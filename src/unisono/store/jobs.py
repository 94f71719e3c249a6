"""Jobs in memory, done by several processes: what `unisono.store.shards` is to files.

**Conventions.** Each worker uses a fixed number of threads, and so does this process where it does the work itself:
results do not depend on where a job runs. Workers are forked from a server process that has imported the heavy
modules once (`start_workers`). Arrays reach them as memory-mapped files (`SharedArrays`), never by pickling.
"""

from __future__ import annotations

import functools
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from unisono.config.compute import Compute
from unisono.errors import DataError, ProgramError
from unisono.store.shards import _portable, _start, _threads

#: Seconds that a pool must save before it is started for work that could as well be done here.
POOL_PAYS_S = 1.5

#: Holds what a worker sets up until it ends.
_worker = ExitStack()


class SharedArrays(Mapping[str, np.ndarray]):
    """Arrays by name, which a worker sees as memory-mapped files: one copy for all; its own changes stay its own.

    The files are written when the object is first sent to a worker, and not at all if it never is.

    Parameters
    ----------
    arrays : mapping of str to np.ndarray
        Of numbers or strings.
    folder : Path
        Where to put the files; whoever makes it removes it.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], folder: Path) -> None:
        self._arrays = dict(arrays)
        self._folder = folder
        self._written = False

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._written:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                for number, array in enumerate(self._arrays.values()):
                    np.save(self._folder / f"{number}.npy", array, allow_pickle=False)
            except OSError as error:
                raise DataError(
                    f"{self._folder}: cannot be written: {error.strerror or error}; free space, or set "
                    "compute.executor to serial, which needs none"
                ) from error
            self._written = True
        return _open_arrays, (self._folder, tuple(self._arrays))


@functools.cache
def _open_arrays(folder: Path, names: tuple[str, ...]) -> SharedArrays:
    files = (folder / f"{number}.npy" for number in range(len(names)))
    return SharedArrays({name: np.load(file, mmap_mode="c") for name, file in zip(names, files, strict=True)}, folder)


def start_workers(modules: Sequence[str], compute: Compute) -> None:
    """Begin to import modules for the workers to come, in the background, while this process goes on.

    Parameters
    ----------
    modules : sequence of str
        Dotted names. Only the first call in a process counts: workers of later ones import what else they need.
    compute : Compute
        With ``executor: serial`` or one worker nothing is started.
    """
    if _has_pool(compute) and _METHOD == "forkserver":
        from multiprocessing import forkserver

        with _fixed_threads(compute.threads_per_worker):
            multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
            forkserver.ensure_running()


def map_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    *,
    compute: Compute,
    description: str,
    at_once: bool = False,
) -> list[Any]:
    """Do jobs in parallel and return their values in order.

    Parameters
    ----------
    function : callable
        ``function(job) -> value``; pickled with each job, as are the values.
    jobs : sequence
        ``str(job)`` names one in messages.
    compute : Compute
        Executor, workers and threads per worker; none of it changes a value.
    description : str
        Title of the progress bar.
    at_once : bool
        Send everything to workers: right after `start_workers`. Otherwise this process begins by itself, and workers
        take over when the first jobs show that they would save more time than their start costs.

    Returns
    -------
    list

    Raises
    ------
    ProgramError
        A worker process was killed.
    Exception
        Whatever `function` raised first; the other workers are stopped.
    """
    values: list[Any] = [None] * len(jobs)
    todo = deque(range(len(jobs)))
    pool = at_once and _has_pool(compute)
    with (
        tqdm(total=len(jobs), desc=description, unit="fit", disable=None) as bar,
        _fixed_threads(compute.threads_per_worker),
    ):
        while todo and not pool:
            started = time.monotonic()
            index = todo.popleft()
            values[index] = _call(function, jobs[index])
            bar.update()
            saved = (time.monotonic() - started) * len(todo) * (1 - 1 / compute.n_workers)
            pool = _has_pool(compute) and saved > POOL_PAYS_S
        if todo:
            for index, value in _in_pool(function, {index: jobs[index] for index in todo}, compute):
                values[index] = value
                bar.update()
    return values


#: Where there is no fork server (Windows), workers are spawned.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _has_pool(compute: Compute) -> bool:
    return compute.executor == "process" and compute.n_workers > 1


def _in_pool(function: Callable[[Any], Any], jobs: Mapping[int, Any], compute: Compute) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each job as it is finished; on any error kill the workers at once."""
    before = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        min(compute.n_workers, len(jobs)),
        mp_context=multiprocessing.get_context(_METHOD),
        initializer=_prepare,
        initargs=(compute.threads_per_worker,),
    ) as executor:
        try:
            numbers = {executor.submit(_call, function, job): number for number, job in jobs.items()}
            for future in as_completed(numbers):
                yield numbers[future], future.result()
        except BaseException as error:
            for child in set(multiprocessing.active_children()) - before:
                child.kill()
            if isinstance(error, BrokenExecutor):
                raise ProgramError(
                    "a worker process was killed (out of memory?); free memory or lower compute.workers and run the "
                    "same command again"
                ) from None
            raise


def _call(function: Callable[[Any], Any], job: Any) -> Any:
    try:
        return function(job)
    except Exception as error:
        raise _portable(error, f"in {job}") from error


def _prepare(n_threads: int) -> None:
    """Prepare a worker. It has the environment of the server it was forked from, not this process's."""
    _start()
    _worker.enter_context(_fixed_threads(n_threads))


@contextmanager
def _fixed_threads(n: int) -> Iterator[None]:
    """Fix the threads of libraries loaded here or later, torch's own count included."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with _threads(n):
        try:
            if torch:
                torch.set_num_threads(n)
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
