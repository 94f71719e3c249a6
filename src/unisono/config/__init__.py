"""``params.yaml``, read and validated once, at the edge.

**Conventions.** The file's top-level keys are sections. Each section is a pydantic model in the module of its
name (``unisono.config.mtm.Mtm`` for ``mtm``) and loads itself (``Mtm.load()``), so that a stage depends on its own
section's schema alone. `unisono.evaluation.params_file` validates the file as a whole, and compares it
with the methods that there are: the pipeline's first stage does both, so that a misspelt key anywhere fails there, with
its full name and the nearest legal one.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pydantic
import yaml

from unisono.errors import ConfigError

PARAMS_FILE = Path("params.yaml")
#: Deepest nesting of a parameter file, and most values in it.
MAX_DEPTH, MAX_VALUES = 50, 200_000


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
        path = _keys(raw, first["loc"])
        key = ".".join([where, *path])
        if first["type"] == "extra_forbidden":
            legal = _legal_keys(model, [str(part) for part in first["loc"][:-1]])
            raise ConfigError(f"{key}: unknown parameter; {nearest(path[-1], legal)}") from None
        if first["type"] == "missing":
            raise ConfigError(f"{key}: missing parameter; add it to {PARAMS_FILE}") from None
        raise ConfigError(f"{key}: {first['msg']} (got {first['input']!r})") from None


def _keys(raw: Any, loc: Sequence[int | str]) -> list[str]:
    """Drop from a place that pydantic names what is no key of `raw`: branches of unions, functions, tags."""
    path = []
    for part in loc:
        inside = (isinstance(raw, Mapping) and part in raw) or (isinstance(raw, list) and isinstance(part, int))
        if inside:
            raw = raw[part]
        # A key that is missing is the last one, and in no mapping.
        if inside or (part == loc[-1] and isinstance(raw, Mapping)):
            path.append(str(part))
    return path


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
        raw = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the project's folder (where dvc.yaml is)") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, got {type(raw).__name__}")
    return raw


def parse_yaml(text: str) -> Any:
    """Parse YAML, by libyaml where PyYAML has it, which is ten times as fast.

    Parameters
    ----------
    text : str

    Returns
    -------
    object

    Raises
    ------
    ValueError
        It is none, means different things to different programs, or is far deeper or larger than any parameter.
    """
    try:
        _check_size(text)
        return yaml.load(text, _Loader)
    # Odd keys and dates show as whatever they lead to.
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested deeper than any parameter") from None


def _check_size(text: str) -> None:
    """Refuse what nests too deep, or becomes too much when its aliases are replaced by what they stand for."""
    open_: list[tuple[str | None, int]] = [(None, 0)]
    sizes: dict[str, int] = {}
    # The parser's own stack has an end, and the composer calls itself.
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) > MAX_DEPTH + 1:
                raise yaml.YAMLError(f"nested deeper than {MAX_DEPTH} levels")
            continue
        anchor, size = None, 1
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == name for name, _ in open_):
                raise yaml.YAMLError(f"*{event.anchor} stands within itself{event.start_mark}")
            size = sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor = event.anchor
        if anchor is not None:
            sizes[anchor] = size
        within, total = open_[-1]
        open_[-1] = (within, total + size)
        if total + size > MAX_VALUES:
            raise yaml.YAMLError(f"more than {MAX_VALUES:,} values, aliases counted as what they stand for")


@functools.lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    """Parse YAML once for all sections."""
    return parse_yaml(text)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads as YAML 1.2 does, and DVC with it, or not at all."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (str(key.tag), str(key.value))
            if name in seen and key.value != "<<":
                raise yaml.YAMLError(f"the key {key.value!r} stands twice{key.start_mark}; remove one")
            seen.add(name)
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found

    def construct_number(self, node: yaml.ScalarNode) -> int:
        """Refuse 010, which is eight here and ten elsewhere, and 1:30, which is ninety."""
        text = str(node.value)
        if re.fullmatch(r"[-+]?0[0-9_]+|.*:.*", text):
            raise yaml.YAMLError(
                f"{text} means different numbers to different programs{node.start_mark}; write another"
            )
        number: int = self.construct_yaml_int(node)
        return number

    def construct_finite(self, node: yaml.ScalarNode) -> float:
        """Refuse infinity and NaN, which no parameter may be."""
        number: float = self.construct_yaml_float(node)
        if not math.isfinite(number):
            raise yaml.YAMLError(f"{node.value} is no finite number{node.start_mark}; write one, or null")
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_finite)


def section(name: str, path: Path = PARAMS_FILE) -> Any:
    """Read one section of ``params.yaml``, as it stands there.

    Parameters
    ----------
    name : str
        Top-level key, for example ``"mtm"``.
    path : Path
        The file, ``params.yaml`` in the current folder by default.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        The file is missing or not YAML, or lacks the section.
    """
    raw = read_yaml(path)
    if name not in raw:
        raise ConfigError(f"{name}: missing section of {path}; add it")
    return raw[name]


class TopLevel(Section):
    """A section of its own, named as its class in lower case."""

    @classmethod
    def load(cls, path: Path = PARAMS_FILE) -> Self:
        """Read and validate the section; a `ConfigError` names the first key that is unknown or wrong."""
        name = cls.__name__.lower()
        loaded: Self = validate(cls, section(name, path), where=name)
        return loaded
