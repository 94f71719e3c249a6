"""How much memory one file from outside may ask for: looked at before its bytes are."""

from __future__ import annotations

import resource
from pathlib import Path

from unisono.errors import DataError

#: Share of the memory that is free, of which one file may take at most so much.
SHARE = 0.5
#: Nothing smaller is refused for being compressed well, in bytes.
SMALL = 256 * 2**20
#: So many bytes may one of a file become: zero padding becomes ten or twenty, what is made to do harm a thousand.
RATIO = 500


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
