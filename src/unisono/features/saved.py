"""Files of trained models of extractors: arrays, and as JSON what else is known of them.

**Conventions.** A file is safetensors, no pickle; its header says what kind of model it holds. The same model gives the
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from unisono.errors import ConfigError, DataError
from unisono.io import tensors
from unisono.io.files import replacing

_KEY = "unisono"

T = TypeVar("T")


def write(path: Path, kind: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model.

    Parameters
    ----------
    path : Path
    kind : str
    facts : mapping of str to object
        What JSON can hold.
    arrays : mapping of str to np.ndarray

    Raises
    ------
    DataError
        The file cannot be written.
    """
    from safetensors.numpy import save

    header = {"extractor": kind, **facts}
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(plain, metadata={_KEY: json.dumps(header)}))


def read(path: Path, kind: str, make: Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], T], *, stage: str) -> T:
    """Read what `write` wrote.

    Parameters
    ----------
    path : Path
    kind : str
    make : callable
        ``make(header, arrays) -> model``; raises `KeyError`, `ValueError`, `TypeError`, `IndexError`, `AttributeError`,
        `ConfigError` or `OverflowError` where they do not belong together.
    stage : str
        What makes it anew, for messages.

    Returns
    -------
    object
        What `make` made.

    Raises
    ------
    DataError
        The file is missing, damaged, or another kind.
    """
    remedy = f"run the stage {stage}"
    header, arrays = tensors.read(path, _KEY, what=f"a {kind} model", remedy=remedy)
    try:
        if header["extractor"] != kind:
            raise ValueError(f"a model of {header['extractor']}")
        return make(header, arrays)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, ConfigError, OverflowError) as error:
        raise DataError(f"{path}: not a {kind} model, or damaged ({error}); {remedy}") from None
