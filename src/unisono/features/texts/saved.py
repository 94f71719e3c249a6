"""Files of trained text models: arrays, and as JSON what else is known of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from unisono.config import Section
from unisono.errors import ConfigError, DataError
from unisono.io import tensors
from unisono.io.files import replacing

#: What makes a model that cannot be read anew.
REMEDY = "run the stage embed_lyrics"

T = TypeVar("T")


def write(
    path: Path, extractor: str, *, settings: Section, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a model.

    Parameters
    ----------
    path : Path
    extractor : str
    settings : Section
        Its section of ``params.yaml``.
    facts : mapping of str to object
        What JSON can hold.
    arrays : mapping of str to np.ndarray

    Raises
    ------
    DataError
        The file cannot be written.
    """
    from safetensors.numpy import save

    header = {"extractor": extractor, "settings": settings.model_dump(mode="json"), **facts}
    with replacing(path) as temporary:
        temporary.write_bytes(save(dict(arrays), metadata={"unisono": json.dumps(header)}))


def read(path: Path, extractor: str, make: Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], T]) -> T:
    """Read what `write` wrote.

    Parameters
    ----------
    path : Path
    extractor : str
    make : callable
        ``make(header, arrays) -> model``; raises `KeyError`, `ValueError`, `TypeError`, `ConfigError` or
        `OverflowError` where they do not belong together.

    Returns
    -------
    object
        What `make` made.

    Raises
    ------
    DataError
        The file is missing, damaged, or another kind.
    """
    header, arrays = tensors.read(path, "unisono", what=f"a {extractor} model", remedy=REMEDY)
    try:
        if header["extractor"] != extractor:
            raise ValueError(f"a model of {header['extractor']}")
        return make(header, arrays)
    except (KeyError, ValueError, TypeError, ConfigError, OverflowError) as error:
        raise DataError(f"{path}: not a {extractor} model, or damaged ({error}); {REMEDY}") from None
