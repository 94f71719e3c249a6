"""Writing a file or a folder so that it appears under its name complete or not at all."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unisono.errors import cannot_write

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
    fresh, old = (path.with_name(f".{path.name}.{os.getpid()}.{word}") for word in ("new", "old"))
    try:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
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
