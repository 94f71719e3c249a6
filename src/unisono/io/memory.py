"""How much memory there is: looked at before the bytes of a file from outside, and before a library that needs much."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from unisono.errors import DataError

#: Share of the memory that is free, of which one file may take at most so much.
SHARE = 0.5
#: Nothing smaller is refused for being compressed well, in bytes.
SMALL = 256 * 2**20
#: So many bytes may one of a file become: zero padding becomes ten or twenty, what is made to do harm a thousand.
RATIO = 500
#: Packages with a BLAS (OpenBLAS) that asks for its buffer for ever when it is loaded and gets none.
LOOPING = ("numpy", "scipy")
#: What they must find, in bytes: the library, 32 MB of buffer, and what the C library reserves for these.
ROOM = 128 * 2**20


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
    """Finds nothing; raises where a package of `LOOPING` would be loaded without `ROOM`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in LOOPING and spare() < ROOM:
            raise MemoryError(f"{ROOM >> 20} MB are needed to load {fullname}")
        return None


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
