"""Jobs in memory, done by several processes: what `unisono.store.shards` is to files.

**Conventions.** Each worker uses a fixed number of threads, and so does this process where it does the work itself:
results do not depend on where a job runs. Workers are forked from a server process that has imported the heavy
modules once (`start_workers`). Arrays reach them as memory-mapped files (`SharedArrays`), never by pickling.
"""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from unisono.config.compute import Compute
from unisono.errors import ProgramError, cannot_write
from unisono.store import preloading
from unisono.store.executors import FORKED, Killed, Scheduler, fixed_threads, portable

#: Seconds that a pool must save before it is started for work that could as well be done here.
POOL_PAYS_S = 1.5


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
                advice = "or set compute.executor to serial, which needs none"
                raise cannot_write(self._folder, error, advice) from error
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
    if _has_pool(compute) and FORKED == "forkserver":
        from multiprocessing import forkserver

        with fixed_threads(compute.threads_per_worker), preloading.named(modules):
            multiprocessing.get_context("forkserver").set_forkserver_preload([preloading.__name__])
            forkserver.ensure_running()


class Done(NamedTuple):
    """A job that has ended.

    Attributes
    ----------
    number : int
        Its place among the jobs.
    value : object
        None if it failed.
    error : Exception or None
        What it raised; a `ProgramError` if its worker was killed each time.
    """

    number: int
    value: Any
    error: BaseException | None


class _Task(NamedTuple):
    number: int
    function: Callable[[Any], Any]
    job: Any

    def call(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _call, (self.function, self.job)

    def begun(self) -> bool:
        # Nothing tells those that were waiting from those at work, and there are few.
        return True

    def finished(self) -> bool:
        return False


def map_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    *,
    compute: Compute,
    description: str,
    at_once: bool = False,
) -> Iterator[Done]:
    """Do jobs in parallel.

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

    Yields
    ------
    Done
        As each job ends, well or not. Whoever stops listening ends the workers.
    """
    todo = deque(_Task(number, function, job) for number, job in enumerate(jobs))
    pool = at_once and _has_pool(compute)
    with (
        tqdm(total=len(jobs), desc=description, unit="fit", disable=None) as bar,
        fixed_threads(compute.threads_per_worker),
    ):
        while todo and not pool:
            started = time.monotonic()
            task = todo.popleft()
            try:
                done = Done(task.number, _call(function, task.job), None)
            except Exception as raised:
                done = Done(task.number, None, raised)
            bar.update()
            saved = (time.monotonic() - started) * len(todo) * (1 - 1 / compute.n_workers)
            pool = _has_pool(compute) and saved > POOL_PAYS_S
            yield done
        for task, value, error in Scheduler[_Task](compute, len(todo), method=FORKED).run(todo):
            bar.update()
            killed = ProgramError(
                f"{task.job}: its worker process was killed each time (out of memory?); free memory or lower "
                "compute.workers and run the same command again"
            )
            yield Done(task.number, value, killed if isinstance(error, Killed) else error)


def _has_pool(compute: Compute) -> bool:
    return compute.executor != "serial" and compute.n_workers > 1


def _call(function: Callable[[Any], Any], job: Any) -> Any:
    try:
        return function(job)
    except Exception as error:
        raise portable(error, f"in {job}") from error
