"""Section ``models``: default hyper-parameters of each method, checked against the method's own signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unisono.config import nearest
from unisono.errors import ConfigError


def parse(raw: Any) -> Mapping[str, Mapping[str, Any]]:
    """Validate the section: every key names a method, every parameter is one of that method's."""
    import importlib

    # By name: a stage that reads this section does not thereby depend on the code of every method.
    registry = importlib.import_module("unisono.models")
    if not isinstance(raw, dict):
        raise ConfigError(f"models: expected a mapping of methods, got {type(raw).__name__}")
    for name, params in raw.items():
        if name not in registry.available():
            raise ConfigError(f"models.{name}: unknown method; {nearest(str(name), registry.available())}")
        registry.check_params(name, params or {}, where=f"models.{name}")
    return {name: dict(params or {}) for name, params in raw.items()}
