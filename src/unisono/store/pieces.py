"""Kept pieces: pictures, sounds and other bytes that a stage would make again, by hash of all that they are made from.

**Conventions.** A piece is a file named after its facts; its content begins with its own SHA-256. What is damaged or
missing, or cannot be kept (a full disk, no permission), is made. Nothing depends on what is kept but time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError
from unisono.io.files import replacing
from unisono.store import fits
from unisono.store.code import code_version

#: Libraries that the bytes of a piece depend on.
LIBRARIES = ("av", "matplotlib", "numpy", "pillow", "scikit-learn")
_DIGEST = hashlib.sha256().digest_size

#: Folder of the open store, and names of the pieces used since.
_open: ContextVar[tuple[Path, set[str]] | None] = ContextVar("pieces", default=None)


@contextmanager
def opened(scratch: Path, stage: str) -> Iterator[None]:
    """Keep the pieces of a stage inside the block; at its end, those that it did not use are removed.

    Parameters
    ----------
    scratch : Path
        ``compute.scratch``; pieces lie beside kept fits.
    stage : str
    """
    folder = fits.home(scratch).with_name("drawn") / stage
    used: set[str] = set()
    token = _open.set((folder, used))
    try:
        yield
    finally:
        _open.reset(token)
    for path in folder.glob("*"):
        if path.name not in used:
            with suppress(OSError):
                path.unlink()


def made(make: Callable[[], bytes], *facts: Any) -> bytes:
    """Give a piece: as it was kept or, where it was not, made and kept.

    Parameters
    ----------
    make : callable
        Gives the bytes.
    *facts : object
        All that they depend on, the version of the code among it: plain data, bytes, arrays, dataclasses.

    Returns
    -------
    bytes
    """
    kept = get(*facts)
    if kept is None:
        kept = make()
        put(kept, *facts)
    return kept


def get(*facts: Any) -> bytes | None:
    """Give a piece if it was kept, sound."""
    path = _path(facts)
    if path is not None:
        with suppress(OSError):
            content = path.read_bytes()
            if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
                return content[_DIGEST:]
    return None


def put(content: bytes, *facts: Any) -> None:
    """Keep a piece, where there is an open store that can be written."""
    path = _path(facts)
    if path is not None:
        with suppress(DataError), replacing(path) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)


def _path(facts: tuple[Any, ...]) -> Path | None:
    """Name the file of a piece in the open store, and note that it is used."""
    store = _open.get()
    if store is None:
        return None
    folder, used = store
    text = json.dumps([_versions(), _keyed(facts)], default=_plain)
    name = hashlib.sha256(text.encode()).hexdigest()
    used.add(name)
    return folder / name


@functools.cache
def code(module: str) -> str:
    """Give the version of a loaded module's code, as a fact."""
    return code_version(module if module.startswith("unisono.") else Path(str(sys.modules[module].__file__)))


@functools.cache
def _versions() -> list[str]:
    found = []
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return found


def _keyed(fact: Any) -> Any:
    """Turn mappings into sorted pairs: JSON has text alone for keys, ours may be tuples."""
    if isinstance(fact, Mapping):
        return [[repr(key), _keyed(fact[key])] for key in sorted(fact, key=repr)]
    return [_keyed(part) for part in fact] if isinstance(fact, list | tuple) else fact


def _plain(fact: Any) -> Any:
    """Turn a fact that JSON does not know into one that it knows."""
    if isinstance(fact, bytes):
        return hashlib.sha256(fact).hexdigest()
    if isinstance(fact, np.ndarray):
        if fact.dtype.kind in "OU":
            return fact.tolist()
        return [fact.shape, fact.dtype.str, hashlib.sha256(np.ascontiguousarray(fact).tobytes()).hexdigest()]
    if isinstance(fact, np.generic):
        return fact.item()
    if is_dataclass(fact) and not isinstance(fact, type):
        return _keyed(asdict(fact))
    raise TypeError(f"{type(fact).__name__} is no fact of a piece")
