"""What reads files of one format, for `fuzz.py`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Reader(NamedTuple):
    """What reads files of one format.

    Attributes
    ----------
    good : callable
        Makes good files.
    file : str
        Their name.
    format : str
        Key of `fuzzing.mutators.AWARE`.
    read : callable
        From a path; whatever it returns or yields is read to its end.
    covers : tuple of str
        The functions of `unisono` that it stands for.
    needs : tuple of str
        Modules that are imported beforehand.
    """

    good: Callable[[], list[bytes]]
    file: str
    format: str
    read: Callable[[Path], Any]
    covers: tuple[str, ...]
    needs: tuple[str, ...] = ()


def named(name: str) -> Any:
    """Import an attribute of a module of `unisono` by its dotted name."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(f"unisono.{module}"), attribute)
    except ModuleNotFoundError:
        return getattr(named(module), attribute)


def call(name: str, *args: Any, convert: Callable[[Path], Any] = lambda path: path, **options: Any) -> Any:
    """Make a reader of a function that takes a path, or what `convert` makes of one."""
    return lambda path: named(name)(convert(path), *args, **options)


def content(name: str, *args: Any, **options: Any) -> Callable[[Path], Any]:
    """Make a reader of a function that takes bytes."""
    return call(name, *args, convert=Path.read_bytes, **options)
