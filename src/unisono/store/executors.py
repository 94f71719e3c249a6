"""Where tasks run: one interface for shards and for fits.

**Conventions.** An `Executor` takes calls (`submit`), says whether an error means that the worker died rather than
that the task failed (`lost`), and ends its workers at once (`cancel`). `Scheduler` runs tasks on one and finds out
which of them kill their worker. Each worker uses a fixed number of threads, so that no result depends on where or
beside how many others a task runs.
"""

from __future__ import annotations

import abc
import errno
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from typing import Any, Generic, Protocol, Self, TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from unisono.config.compute import Compute
from unisono.errors import MachineError, ProgramError, UnisonoError, machine_fault
from unisono.io import memory

#: Read by OpenMP, the BLAS libraries, TensorFlow and numba when they are first imported.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

#: Workers that are forked from a server process, where there is one; on Windows they are spawned.
FORKED = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"

#: Seconds without an end of a task after which the executor is looked at.
CHECK_S = 5.0

#: Holds what a worker sets up until it ends.
_worker = ExitStack()


class Executor(abc.ABC):
    """Runs calls, here or elsewhere; a context manager that ends its workers, at once if its block raises."""

    @abc.abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a call; function, arguments and value can be pickled. Raises `BrokenExecutor` if no worker is left."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """End all workers at once; what they were doing is lost."""

    def check(self) -> None:  # noqa: B027, most can always be reached
        """Raise `MachineError` if workers can be reached no more, so that nothing at work would ever end."""

    def lost(self, error: BaseException) -> bool:
        """Say whether an error means that a worker died, so that its task may be tried again."""
        return isinstance(error, BrokenExecutor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.cancel()


class Serial(Executor):
    """Does the work where it is submitted: a debugger and a profiler see it."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a call here and now."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def cancel(self) -> None:
        """Nothing is at work when this can be called."""


class Processes(Executor):
    """A pool of worker processes on this machine.

    Parameters
    ----------
    n_workers : int
    n_threads : int
        Of each worker.
    method : {"spawn", "forkserver"}
        How workers start: anew, or from a server process (`FORKED`) that has imported modules for all.
    """

    def __init__(self, n_workers: int, *, n_threads: int, method: str) -> None:
        self._before = set(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(
            n_workers,
            mp_context=multiprocessing.get_context(method),
            initializer=_prepare,
            initargs=(n_threads,),
        )

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Send a call to a worker."""
        try:
            return self._pool.submit(_run, pickle.dumps((function, arguments)))
        except (EOFError, ConnectionError) as error:
            # Until the system has cleared it away: the next attempt then starts another.
            time.sleep(1)
            raise BrokenExecutor("the server that workers are forked from was killed") from error

    def check(self) -> None:
        """Look at the pool's own thread, which dies where it cannot start another, and tells nobody."""
        thread = getattr(self._pool, "_executor_manager_thread", None)
        if thread is not None and not thread.is_alive():
            raise MachineError("can't start new thread for a pool of workers; free memory or processes and run again")

    def cancel(self) -> None:
        """Kill the workers."""
        for child in set(multiprocessing.active_children()) - self._before:
            child.kill()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        super().__exit__(kind, error, trace)
        self._pool.shutdown()


def open_executor(compute: Compute, n_workers: int, *, method: str) -> Executor:
    """Open the executor that ``compute.executor`` names, for at most so many workers."""
    if compute.executor == "serial":
        return Serial()
    return Processes(n_workers, n_threads=compute.threads_per_worker, method=method)


class Task(Protocol):
    """Something to do."""

    def call(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return function and arguments, made anew for every attempt."""

    def begun(self) -> bool:
        """Say whether a worker may have begun it: if it died, this task may be to blame."""

    def finished(self) -> bool:
        """Say whether all that it should leave is there, although its worker died."""


T = TypeVar("T", bound=Task)


class Killed(Exception):
    """The worker of a task was killed each time that it was tried."""


class Scheduler(Generic[T]):
    """Runs tasks in several workers.

    A dead worker takes the tasks of all with it. Those that nobody had begun are simply run again; the others are
    suspects, and each is tried alone, so that the one to blame is found and the others are done.

    Parameters
    ----------
    compute : Compute
        Executor, workers, threads per worker, retries.
    n_tasks : int
        No more workers than that are started.
    method : {"spawn", "forkserver"}
        See `Processes`.
    """

    def __init__(self, compute: Compute, n_tasks: int, *, method: str) -> None:
        self.compute = compute
        self.n_workers = max(min(compute.n_workers, n_tasks), 1)
        self.method = method
        self.stopped = False
        self._lost: list[T] = []

    def stop(self) -> None:
        """Begin nothing new; what is at work is finished."""
        self.stopped = True

    def run(self, tasks: Iterable[T]) -> Iterator[tuple[T, Any, BaseException | None]]:
        """Do all tasks.

        Parameters
        ----------
        tasks : iterable of Task

        Yields
        ------
        task, value, error
            As each is finished; the error is what it raised, or `Killed`.

        Raises
        ------
        ProgramError
            Workers die before they begin anything.
        """
        pending = deque(tasks)
        suspects: list[T] = []
        idle = 0
        while pending and not self.stopped:
            yield from self._drain(self.n_workers, pending)
            begun = [task for task in self._lost if task.begun()]
            pending.extendleft(task for task in reversed(self._lost) if not task.begun())
            suspects += begun
            idle = idle + 1 if self._lost and not begun else 0
            if idle > self.compute.retries:
                raise ProgramError(
                    f"worker processes die before they begin ({idle} times); set compute.executor to serial to see why"
                )
        for task in suspects:
            if self.stopped:
                return
            for _ in range(1 + self.compute.retries):
                found = list(self._drain(1, deque([task])))
                if found:
                    break
            yield from found or [(task, None, Killed())]

    def _drain(self, n_workers: int, pending: deque[T]) -> Iterator[tuple[T, Any, BaseException | None]]:
        """Work until nothing is pending or the pool breaks; `_lost` are the tasks that went down with it."""
        running: dict[Future[Any], T] = {}
        self._lost = []
        window = 1 if self.compute.executor == "serial" else 2 * n_workers
        with open_executor(self.compute, n_workers, method=self.method) as executor:
            while running or (pending and not (self._lost or self.stopped)):
                while pending and len(running) < window and not (self._lost or self.stopped):
                    task = pending.popleft()
                    function, arguments = task.call()
                    try:
                        running[executor.submit(function, *arguments)] = task
                    except BrokenExecutor:
                        self._lost.append(task)
                ended = wait(running, timeout=CHECK_S, return_when=FIRST_COMPLETED).done
                if not ended:
                    executor.check()
                for future in ended:
                    task = running.pop(future)
                    error = _error(future)
                    if error is not None and executor.lost(error) and not task.finished():
                        self._lost.append(task)
                    elif error is None or not executor.lost(error):
                        yield task, None if error else future.result(), error
                    else:
                        yield task, None, None
                    if self.stopped:
                        for other in list(running):
                            if other.cancel():
                                del running[other]


def _error(future: Future[Any]) -> BaseException | None:
    """Return what a finished future raised, if anything."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def portable(error: Exception, where: str) -> Exception:
    """Make an exception fit to be sent to the parent, and say where it happened."""
    if not isinstance(error, (UnisonoError, MemoryError)) and machine_fault(error):
        free = "space" if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else "memory or processes"
        reason = getattr(error, "strerror", None) or error
        return MachineError(f"{where}: {reason}; free {free} and run again, what was finished is kept")
    try:
        # Our own bytes.
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        copy = None
    if type(copy) is not type(error):
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(copy, UnisonoError):
        copy.add_note(where)
    return copy


def _run(call: bytes) -> Any:
    """Run a call; what its modules lack when they are loaded is an error of its own, not the end of the worker."""
    # Our own bytes.
    function, arguments = pickle.loads(call)  # noqa: S301
    memory.take_buffers()
    return function(*arguments)


def _prepare(n_threads: int) -> None:
    """Prepare a worker: leave Ctrl-C to the parent, end when the parent does, however it ends, and fix the threads.

    A forked worker has the environment of the server it was forked from, not its parent's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
    _worker.enter_context(fixed_threads(n_threads))


@contextmanager
def fixed_threads(n: int) -> Iterator[None]:
    """Fix the threads of libraries loaded here (torch's own count, too) and, by the environment, of those to come."""
    wanted = dict.fromkeys(THREAD_VARIABLES, str(n)) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    try:
        with threadpool_limits(n):
            if torch:
                torch.set_num_threads(n)
            yield
    finally:
        if torch:
            torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
