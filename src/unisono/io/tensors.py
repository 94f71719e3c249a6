"""Reading safetensors files with a JSON header from outside: models, encoders, whitenings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.io.texts import from_json


def read_header(path: Path, key: str, *, what: str, remedy: str) -> dict[str, Any]:
    """Read the JSON object that stands in a file's metadata.

    Parameters
    ----------
    path : Path
    key : str
        Of the metadata.
    what : str
        What the file should be, for messages: ``"a whitening"``.
    remedy : str
        What to do where it is not.

    Returns
    -------
    dict
        Empty where there is no such key.

    Raises
    ------
    DataError
        The file is missing, damaged or of another kind.
    """
    return _read(path, key, what, remedy, arrays=False)[0]


def read(path: Path, key: str, *, what: str, remedy: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the JSON object and the arrays of a file.

    Parameters
    ----------
    path, key, what, remedy
        As for `read_header`.

    Returns
    -------
    header : dict
    arrays : dict of str to np.ndarray
        Finite where they are of floats.

    Raises
    ------
    DataError
        As `read_header`, or an array holds NaN or infinite values.
    """
    header, arrays = _read(path, key, what, remedy, arrays=True)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{path}: {name!r} holds NaN or infinite values; {remedy}")
    return header, arrays


def _read(
    path: Path, key: str, what: str, remedy: str, *, arrays: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    found: dict[str, np.ndarray] = {}
    try:
        with safe_open(path, framework="numpy") as file:
            header = from_json((file.metadata() or {}).get(key, "{}"))
            for name in file.keys() if arrays else ():
                found[name] = file.get_tensor(name)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {remedy}") from None
    # Types that numpy does not know show as whatever they lead to.
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        pass_machine(error)
        raise DataError(f"{path}: not {what}, or damaged ({error}); {remedy}") from None
    if not isinstance(header, dict):
        raise DataError(f"{path}: not {what}: its header is {type(header).__name__}, expected a mapping; {remedy}")
    return header, found
