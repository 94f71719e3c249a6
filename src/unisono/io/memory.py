"""How much memory there is: looked at before the bytes of a file from outside, and before a library that needs much."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from multiprocessing import process
from pathlib import Path
from types import ModuleType

from unisono.errors import DataError

#: Share of the memory that is free, of which one file may take at most so much.
SHARE = 0.5
#: Nothing smaller is refused for being compressed well, in bytes.
SMALL = 256 * 2**20
#: So many bytes may one of a file become: zero padding becomes ten or twenty, what is made to do harm a thousand.
RATIO = 500
#: Packages with a BLAS (OpenBLAS) that asks for a buffer for ever where it gets none, when it is loaded and when it is
#: first called; and where each has the Cholesky decomposition, which needs the buffer at any size.
LOOPING = {
    "numpy": ("numpy.linalg._umath_linalg", "cholesky_lo"),
    "scipy": ("scipy.linalg._flapack", "dpotrf"),
}
#: What they must find, in bytes: the library and its buffers, of 32 MB, or one buffer; with what the C library adds.
ROOM, BUFFER = 128 * 2**20, 48 * 2**20


def spare() -> int:
    """Count the bytes that this process may still take: of the machine's, and of its own limit."""
    free = 8 * 2**30
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
            free = min(free, limit - used)
    except (FileNotFoundError, KeyError, ValueError):
        pass  # no Linux
    return max(free, 0)


class _Guard(MetaPathFinder):
    """Finds nothing; raises where a package of `LOOPING` would be loaded without `ROOM`, and takes buffers early."""

    #: What is imported meanwhile (an encoding, say) is not looked at.
    busy = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.busy:
            return None
        self.busy = True
        try:
            package = fullname.partition(".")[0]
            # With its buffer taken it is loaded.
            if package in LOOPING and (os.getpid(), package) not in _taken and spare() < ROOM:
                raise MemoryError(f"{ROOM >> 20} MB are needed to load {fullname}")
            # A worker that raised while it starts would print a traceback: it takes its buffers with its first task.
            if not _is_worker():
                take_buffers()
        finally:
            self.busy = False
        return None


def _is_worker() -> bool:
    """Say whether this process was started by another for its work, or is being started."""
    starting = getattr(process.current_process(), "_inheriting", False)
    return starting or process.parent_process() is not None


#: Packages of `LOOPING` whose buffer each process has taken, by its number: a fork gives it back.
_taken: set[tuple[int, str]] = set()


def take_buffers() -> None:
    """Let numpy and scipy, where they are loaded, take the buffers of their BLAS while there is memory.

    They keep them: what runs short later raises. Nothing is done in a process without `guard`.

    Raises
    ------
    MemoryError
        There is no room for them.
    """
    if not any(isinstance(finder, _Guard) for finder in sys.meta_path):
        return
    for package, (module, name) in LOOPING.items():
        if (os.getpid(), package) in _taken or not all(map(_loaded, ("numpy", module.rpartition(".")[0], module))):
            continue
        if spare() < BUFFER:
            raise MemoryError(f"{BUFFER >> 20} MB are needed for the linear algebra of {package}")
        _taken.add((os.getpid(), package))
        getattr(sys.modules[module], name)(sys.modules["numpy"].eye(2))


def _loaded(module: str) -> bool:
    """Say whether a module is loaded, and not only about to be."""
    found = sys.modules.get(module)
    return found is not None and not getattr(found.__spec__, "_initializing", False)


def guard() -> None:
    """Let this process end rather than hang where its memory is limited and numpy or scipy find too little of it.

    Called where a process starts. Nothing is changed where its address space has no limit: then memory is given, or
    the system ends the process.
    """
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    if limited and not any(isinstance(finder, _Guard) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Guard())


def check(n_bytes: int, stored: int, where: str) -> None:
    """Refuse what a file claims to hold where that is more than may be read.

    Parameters
    ----------
    n_bytes : int
        That it becomes in memory.
    stored : int
        That it has on the disk.
    where : str
        File and key, for messages.

    Raises
    ------
    DataError
        More than `SHARE` of the memory, or above `SMALL` more than `RATIO` times what is stored.
    """
    if n_bytes > SMALL and n_bytes > RATIO * stored:
        raise DataError(f"{where} claims {n_bytes} bytes, and {stored} are there; do not trust this file")
    if n_bytes > SHARE * spare():
        share = f"more than {SHARE:.0%} of what is free"
        raise DataError(f"{where} claims {n_bytes} bytes of memory, {share}; free memory, or divide it")
