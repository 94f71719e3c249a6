"""Writing a file or a folder so that it appears under its name complete or not at all; what a kill leaves of it.

**Conventions.** Unfinished work beside its place is called ``.<name>.<process>-<number>.tmp``; work elsewhere lies in
folders ``.unisono-work-*`` of the system's temporary folder, locked by the process that uses them. `sweep` removes both
where that process is no more, and nothing of any other name: a user may have a folder ``unisono-1`` there.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unisono.errors import cannot_write

try:
    import fcntl
except ImportError:  # no such locks on Windows, where nothing is swept
    fcntl = None  # type: ignore[assignment]

_UNFINISHED = re.compile(r"\..+\.(\d+)-\d+\.tmp")
#: Begins the names of temporary folders.
_WORK = ".unisono-work-"
#: Folder of a user's own files, which nobody else writes to.
_RAW = "raw"
#: What is younger may have just been made, and not be locked yet.
_SETTLED_S = 10.0
#: Two threads of a process may write one file.
_numbers = itertools.count()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, then rename it.

    Parameters
    ----------
    path : Path
        Final name; its folder is made when missing, a file of that name is replaced at the end.

    Yields
    ------
    Path
        Where to write. It is removed when the block ends with an exception; `path` then stays as it was.

    Raises
    ------
    MachineError
        The disk is full.
    DataError
        The operating system refuses otherwise (no permission, ...).

    Examples
    --------
    >>> with replacing(Path("results/table.csv")) as temporary:
    ...     temporary.write_text("a,b")
    3
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path` to fill, then put it in the place of `path`.

    Parameters
    ----------
    path : Path
        Final name; a folder of that name is replaced as a whole at the end.

    Yields
    ------
    Path
        An empty folder. It is removed when the block ends with an exception; `path` then stays as it was.

    Raises
    ------
    MachineError
        The disk is full.
    DataError
        The operating system refuses otherwise (no permission, ...).
    """
    fresh, old = (path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.tmp") for _ in range(2))
    try:
        fresh.mkdir(parents=True)
        yield fresh
        if path.exists():
            path.rename(old)
        fresh.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder for the time of the block.

    Yields
    ------
    Path
        In the system's temporary folder (``TMPDIR``).
    """
    with tempfile.TemporaryDirectory(prefix=_WORK, ignore_cleanup_errors=True) as name:
        handle = _locked(Path(name))
        try:
            yield Path(name)
        finally:
            if handle is not None:
                os.close(handle)


def _locked(folder: Path) -> int | None:
    """Lock a folder for this process; None where that is not possible, or another has done so."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def sweep(*places: Path) -> None:
    """Remove what killed processes left of their unfinished work.

    Parameters
    ----------
    *places : Path
        Folders, looked through but for a user's own in them (``data/raw``); the system's temporary folder is looked
        through in any case.
    """
    for place in places:
        for parent, folders, names in os.walk(place):
            if Path(parent) == place and _RAW in folders:
                folders.remove(_RAW)
            for name in [*folders, *names]:
                found = _UNFINISHED.fullmatch(name)
                if found and not _alive(int(found[1])):
                    _remove(Path(parent, name))
            folders[:] = [name for name in folders if not _UNFINISHED.fullmatch(name)]
    for folder in Path(tempfile.gettempdir()).glob(f"{_WORK}*"):
        with suppress(OSError):
            facts = folder.lstat()
            if facts.st_uid == os.getuid() and time.time() - facts.st_mtime > _SETTLED_S:
                handle = _locked(folder)
                if handle is not None:
                    _remove(folder)
                    os.close(handle)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
