"""``params.yaml``, read and validated once, at the edge.

**Conventions.** The file's top-level keys are sections. Each section is a pydantic model in the module of its
name (``unisono.config.mtm`` for ``mtm``), so that a stage depends on its own section's schema alone. `load`
validates the *whole* file whatever section is asked for: a misspelt key anywhere fails at the first stage that
runs, with its full name and the nearest legal one.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml

from unisono.errors import ConfigError

PARAMS_FILE = Path("params.yaml")
SECTIONS = ("compute", "experiments", "models", "mtm", "mv10k", "report", "vegas")


class Section(pydantic.BaseModel):
    """A part of ``params.yaml``: immutable, every key known, nothing converted silently."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=False, protected_namespaces=())


def nearest(word: str, legal: Iterable[str]) -> str:
    """Say which of the `legal` names is meant by `word`, as a clause for an error message."""
    names = sorted(legal)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"legal names: {', '.join(names)}"


def validate(model: type[pydantic.BaseModel], raw: Any, *, where: str) -> Any:
    """Validate `raw` against `model`.

    Parameters
    ----------
    model : type of pydantic.BaseModel
    raw : object
        What was read (from YAML, a command line, ...).
    where : str
        Full name of the place, put before every key in messages (``"mtm"``).

    Returns
    -------
    pydantic.BaseModel
        An instance of `model`.

    Raises
    ------
    ConfigError
        Names the first wrong key with its value, what was expected and, for an unknown key, the nearest legal one.
    """
    try:
        return model.model_validate(raw)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"] if not str(part).startswith(("function-", "tagged-"))]
        key = ".".join([where, *path])
        if first["type"] == "extra_forbidden":
            legal = _legal_keys(model, [str(part) for part in first["loc"][:-1]])
            raise ConfigError(f"{key}: unknown parameter; {nearest(path[-1], legal)}") from None
        if first["type"] == "missing":
            raise ConfigError(f"{key}: missing parameter; add it to {PARAMS_FILE}") from None
        raise ConfigError(f"{key}: {first['msg']} (got {first['input']!r})") from None


def _models_in(annotation: Any) -> list[type[pydantic.BaseModel]]:
    """All pydantic models named in a type annotation (``dict[str, Engraving]``, ``A | None``)."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation):
        return [model for part in typing.get_args(annotation) for model in _models_in(part)]
    return []


def _legal_keys(model: type[pydantic.BaseModel], path: list[str]) -> set[str]:
    """Keys allowed at `path` below `model`."""
    models = [model]
    for part in path:
        inner = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [found for annotation in inner for found in _models_in(annotation)] or models
    return {name for found in models for name in found.model_fields}


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Read a YAML mapping, or raise `ConfigError` with the line that is wrong."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the project's folder (where dvc.yaml is)") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, got {type(raw).__name__}")
    return raw


@functools.cache
def load_all(path: Path = PARAMS_FILE) -> Mapping[str, Any]:
    """Read and validate every section of `path`; see `load`."""
    raw = read_yaml(path)
    for key in raw:
        if key not in SECTIONS:
            raise ConfigError(f"{key}: unknown section of {path}; {nearest(str(key), SECTIONS)}")
    sections: dict[str, Any] = {}
    for name in SECTIONS:
        if name not in raw:
            raise ConfigError(f"{name}: missing section of {path}; add it")
        # By name, not by an import statement: a stage depends on the schema of its own section only.
        parse = importlib.import_module(f"unisono.config.{name}").parse
        sections[name] = parse(raw[name])
    return sections


def load(section: str, path: Path = PARAMS_FILE) -> Any:
    """Validate the whole of ``params.yaml`` and return one section.

    Parameters
    ----------
    section : str
        Top-level key, for example ``"mtm"``.
    path : Path
        The file, ``params.yaml`` in the current folder by default.

    Returns
    -------
    Section
        The pydantic model of ``unisono.config.<section>`` (for ``models`` and ``experiments`` a mapping of them).

    Raises
    ------
    ConfigError
        The file is missing or not YAML; a key is unknown (with the nearest legal one), missing or out of range.
    """
    return load_all(path)[section]
