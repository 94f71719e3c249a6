"""Reading arrays of an HDF5 file from outside: those that are wanted, and nothing that lies elsewhere.

**Conventions.** HDF5 can refer to other files of the machine: by soft and external links, by external storage (a data
set whose bytes lie in another file) and by virtual data sets. All are refused by name, before a byte is read. Sizes are
looked at before, too.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.io import memory

#: Rows of texts of any length that are read at once.
_ROWS = 256


def read(
    data: bytes, where: str, wanted: Callable[[str], bool], *, deep: bool = False
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read arrays at the top of a file, or in its groups, too.

    Parameters
    ----------
    data : bytes
    where : str
        File, for messages.
    wanted : callable
        Says of a key whether it is to be read.
    deep : bool
        Whether to look into groups; keys are then ``group/array``.

    Returns
    -------
    arrays : dict of str to np.ndarray
    keys : list of str
        All that there are.

    Raises
    ------
    DataError
        No HDF5 file, damaged; a wanted key refers to another place, or claims more than may be read.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            keys: list[str] = []
            if deep:
                file.visit(keys.append)
            else:
                keys = list(map(str, file))
            chosen = {key: _checked(file, key, f"{where}: {key!r}") for key in filter(wanted, keys)}
            found = {key: each for key, each in chosen.items() if each is not None}
            for key, each in found.items():
                memory.check(each.nbytes, len(data), f"{where}: {key!r}")
            memory.check(sum(each.nbytes for each in found.values()), len(data), f"{where}: what it holds")
            return {key: _array(each, len(data), f"{where}: {key!r}") for key, each in found.items()}, keys
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        pass_machine(error)
        raise DataError(f"{where}: not an HDF5 file or damaged ({error}); fetch it again") from None


def _checked(file: Any, key: str, where: str) -> Any:
    """Give the data set of a key, None for a group, if all of it lies in this file."""
    import h5py

    if not isinstance(file.get(key, getlink=True), h5py.HardLink):
        raise DataError(f"{where} is a link to another place; store the numbers themselves")
    item = file[key]
    if not isinstance(item, h5py.Dataset):
        return None
    if item.external:
        raise DataError(f"{where} lies in another file ({item.external[0][0]!r}); store the numbers themselves")
    if item.is_virtual:
        raise DataError(f"{where} is virtual, its numbers lie in other files; store the numbers themselves")
    return item


def _array(item: Any, size: int, where: str) -> np.ndarray:
    """Read a data set; texts of any length bit by bit, since a thousand may point to one place."""
    if not item.dtype.hasobject or not item.ndim:
        return np.asarray(item[()])
    parts, total = [], 0
    for start in range(0, len(item), _ROWS):
        part = item[start : start + _ROWS]
        total += sum(len(value) if isinstance(value, bytes | str) else memory.SMALL for value in part.reshape(-1))
        memory.check(total, size, where)
        parts.append(part)
    return np.concatenate(parts) if parts else np.empty(item.shape, dtype=object)
