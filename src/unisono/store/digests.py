"""What a stage reads of params.yaml, as one digest: dvc.lock keeps that in place of every value.

**Conventions.** DVC reads and writes the whole of ``dvc.lock`` at every stage. So a stage that reads much of
params.yaml has no ``params`` but depends on a file whose name says what it reads,
``data/code/params/report.titles+report.tables`` or ``data/code/params/vegas.features.${item}``; the pipeline's first
stage writes those that ``dvc.yaml`` names. The digest is of values, not of text: comments, layout, the order of keys
and 1 for 1.0 change nothing, as with ``params``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unisono.config import PARAMS_FILE, nearest, read_yaml
from unisono.errors import ConfigError

#: Where the digests lie, and what stands between the keys in the name of one.
FOLDER, AND = "data/code/params/", "+"


def keys_of(path: str) -> tuple[str, ...]:
    """Say what a dependency of a stage is a digest of.

    Parameters
    ----------
    path : str

    Returns
    -------
    tuple of str
        Dotted keys of params.yaml; empty where it is none.
    """
    return tuple(path.removeprefix(FOLDER).split(AND)) if path.startswith(FOLDER) else ()


def digest(*values: Any) -> str:
    """Compute the digest of values of params.yaml.

    Parameters
    ----------
    *values : object

    Returns
    -------
    str
        SHA-256 in hexadecimal digits, the same for values that DVC holds to be equal.
    """
    text = json.dumps([_canonical(value) for value in values], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def digests(pipeline: Path = Path("dvc.yaml"), params: Path = PARAMS_FILE) -> dict[str, str]:
    """Compute the digests on which the stages of ``dvc.yaml`` depend.

    Parameters
    ----------
    pipeline, params : Path

    Returns
    -------
    dict of str to str
        File names inside `FOLDER`, ``experiments+models``, to `digest`.

    Raises
    ------
    ConfigError
        A file is missing or no YAML, or a stage names a parameter that is not there.
    """
    values = read_yaml(params)
    found = {}
    for stage in read_yaml(pipeline)["stages"].values():
        for dep in filter(keys_of, stage.get("do", stage).get("deps", [])):
            for path in _filled(dep, stage.get("foreach", [None]), values):
                found[path.removeprefix(FOLDER)] = digest(*(_lookup(values, key, path) for key in keys_of(path)))
    return dict(sorted(found.items()))


def _filled(path: str, items: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Put what a ``foreach`` goes through into a path, as DVC does."""
    if isinstance(items, str):
        items = _lookup(values, items.strip("${} "), items)
    for key, item in items.items() if isinstance(items, dict) else enumerate(items):
        filled = path
        for place in re.findall(r"\$\{([\w.]+)\}", path):
            filled = filled.replace(f"${{{place}}}", str(_lookup({"key": key, "item": item}, place, path)))
        yield filled


def _lookup(values: Any, key: str, where: str) -> Any:
    """Give what stands at a dotted key."""
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            legal = map(str, values) if isinstance(values, dict) else ()
            raise ConfigError(f"dvc.yaml: {where}: there is no {key} in {PARAMS_FILE}; {nearest(part, legal)}")
        values = values[part]
    return values


def _canonical(value: Any) -> Any:
    """Write what is equal in one way."""
    if isinstance(value, dict):
        return {repr(key): _canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
