"""Kept fits: what a training gave, for every later run that would do the same.

**Conventions.** A fit is a folder named after everything that its outcome depends on (`key`): code, method,
parameters, data, seed, device, arithmetic, threads, versions of the libraries. What is complete in it is listed with
its SHA-256 in one file that is written last; whatever is damaged, half written or of another version is no kept fit and
is made again. The store lies beside the project's own ``.dvc``, also for the copies in which ``dvc exp run --temp`` and
``--queue`` work, so that these share it; several runs may use it at once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import pass_machine
from unisono.io.files import replacing, temporary_folder

#: Layout of the files: a fit of another one is not read.
VERSION = 1
#: Libraries whose arithmetic a fit depends on.
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch")
#: Lists what is in a fit's folder.
RECORD = "fit.json"
#: Arrays of the outcome, and the state of a training that was interrupted.
ARRAYS, CHECKPOINT = "arrays.safetensors", "checkpoint.safetensors"

_DAY_S = 86_400


@functools.cache
def versions() -> tuple[str, ...]:
    """Versions of `LIBRARIES`; empty for one that is not installed."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(metadata.version(name))
        except metadata.PackageNotFoundError:
            found.append("")
    return tuple(found)


def key(*facts: Any) -> str:
    """Name a fit after JSON-able facts."""
    text = json.dumps([VERSION, versions(), *facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def home(scratch: Path) -> Path:
    """Say where the project's kept fits lie.

    Parameters
    ----------
    scratch : Path
        ``compute.scratch``.

    Returns
    -------
    Path
        Beside `scratch`; where DVC runs an experiment in a copy of the project, beside that of the project itself,
        which DVC names in the environment.
    """
    return (Path(os.environ.get("DVC_ROOT", "")) / scratch).absolute().with_name("fits")


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """Open the store for writing; where that is impossible, say so and give a folder that is removed at the end.

    Parameters
    ----------
    folder : Path
        From `home`.

    Yields
    ------
    Path
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        warnings.warn(
            f"{folder}: fits cannot be kept ({error.strerror or error}), so a later run does them again; make the "
            "folder writable or free space",
            stacklevel=3,
        )
        with temporary_folder() as own:
            yield own
        return
    yield folder


def write(folder: Path, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Keep the outcome of a fit, with all other files that lie in its folder.

    Parameters
    ----------
    folder : Path
    content : mapping
        JSON-able.
    arrays : mapping of str to np.ndarray

    Raises
    ------
    DataError
        It cannot be written.
    """
    from safetensors.numpy import save

    with replacing(folder / ARRAYS) as temporary:
        # Not the library's own writing, which says in another way that a disk is full.
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    with suppress(OSError):
        (folder / CHECKPOINT).unlink()
    files = {path.relative_to(folder).as_posix(): _digest(path) for path in _files(folder)}
    with replacing(folder / RECORD) as temporary:
        temporary.write_text(json.dumps({"version": VERSION, "files": files, "content": content}), encoding="utf-8")


def read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """Read a kept fit.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    content, arrays
        As they were written; None if there is none, or not all of it is as it was.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            return None
        stored = {name: (folder / name).read_bytes() for name in record["files"]}
        if any(hashlib.sha256(stored[name]).hexdigest() != digest for name, digest in record["files"].items()):
            return None
        arrays = load(stored[ARRAYS])
        content = dict(record["content"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        pass_machine(error)
        return None
    with suppress(OSError):
        os.utime(folder)  # used today
    return content, arrays


def collect(folder: Path, used: Iterable[str], *, days: float) -> int:
    """Remove fits that no experiment needs any more.

    Parameters
    ----------
    folder : Path
        The store.
    used : iterable of str
        Keys that are needed.
    days : float
        A fit that is not needed stays for so long after its last use, so that an edit can be taken back.

    Returns
    -------
    int
        How many were removed.
    """
    needed = set(used)
    n_removed = 0
    for path in folder.iterdir():
        if path.name in needed or not path.is_dir():
            continue
        with suppress(OSError):
            if time.time() - path.stat().st_mtime >= days * _DAY_S:
                shutil.rmtree(path)
                n_removed += 1
    return n_removed


def _files(folder: Path) -> list[Path]:
    """List the files of a fit, without its record and what is being written."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (RECORD, CHECKPOINT) and not path.name.startswith(".")
    )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
