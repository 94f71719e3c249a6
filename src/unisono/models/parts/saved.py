"""Fitted models on the disk: safetensors with a JSON header, no pickle, nothing to execute."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError
from unisono.io import memory, tensors
from unisono.io.files import replacing

FILE = "model.safetensors"
_WHAT, _REMEDY = "a saved model", "save it again"


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model; one that is there already is replaced at once or not at all.

    Parameters
    ----------
    path : Path
        Folder; it is made if need be.
    header : mapping
        As `read_header` returns it.
    arrays : mapping of str to np.ndarray
    """
    from safetensors.numpy import save

    # One metadata key only: safetensors does not fix the order of several, and the bytes would vary.
    content = save(
        {key: np.ascontiguousarray(array) for key, array in arrays.items()},
        metadata={"unisono": json.dumps(header)},
    )
    with replacing(path / FILE) as temporary:
        temporary.write_bytes(content)


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a model.

    Parameters
    ----------
    path : Path
        The folder given to `write`.

    Returns
    -------
    header : dict
        See `read_header`.
    arrays : dict of str to np.ndarray

    Raises
    ------
    DataError
        As `read_header`; or an array is damaged or holds NaN, or the header claims views far wider than the file.
    """
    header = read_header(path)
    file = path / FILE
    _, arrays = tensors.read(file, "unisono", what=_WHAT, remedy=_REMEDY)
    memory.check(8 * sum(header["widths"].values()), file.stat().st_size, f"{file}: its header")
    return header, arrays


def read_header(path: Path) -> dict[str, Any]:
    """Read the JSON header of a saved model.

    Parameters
    ----------
    path : Path
        The folder given to `unisono.models.Aligner.save`.

    Returns
    -------
    dict
        ``name``, ``seed``, ``params``, ``widths`` (dict of str to int) and ``history``.

    Raises
    ------
    DataError
        No model there, or a header that is not one.
    """
    file = path / FILE
    if not file.is_file():
        inside = sorted(each.parent.name for each in path.glob(f"*/{FILE}"))
        if inside:
            raise DataError(f"{path}: holds a model for each of {', '.join(inside)}; give one of these folders")
        raise DataError(f"{file}: no such file; give the folder that Aligner.save wrote")
    header = tensors.read_header(file, "unisono", what=_WHAT, remedy=_REMEDY)
    missing = {"name", "seed", "params", "widths", "history"} - set(header)
    if missing:
        raise DataError(f"{file}: not a saved model: the header lacks {', '.join(sorted(missing))}")
    widths, seed = header["widths"], header["seed"]
    legal = {
        "name": isinstance(header["name"], str),
        "seed": type(seed) is int and 0 <= seed < 2**64,
        "params": isinstance(header["params"], dict),
        "widths": isinstance(widths, dict) and bool(widths) and all(type(w) is int and w > 0 for w in widths.values()),
        "history": isinstance(header["history"], list) and all(isinstance(each, dict) for each in header["history"]),
    }
    for key, good in legal.items():
        if not good:
            raise DataError(
                f"{file}: not a saved model: {key} in its header is {str(header[key])[:80]!r}; save it again"
            )
    return dict(header)
