"""Section ``models``: default hyper-parameters of each method, which `unisono.evaluation.checks` holds against it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisono.config import PARAMS_FILE, section
from unisono.errors import ConfigError


def load_models(path: Path = PARAMS_FILE) -> Mapping[str, Mapping[str, Any]]:
    """Read the section: hyper-parameters by method."""
    raw = section("models", path)
    if not isinstance(raw, dict):
        raise ConfigError(f"models: expected a mapping of methods, got {type(raw).__name__}")
    for name, params in raw.items():
        if not isinstance(params or {}, dict):
            raise ConfigError(f"models.{name}: expected a mapping of parameters, got {params!r}")
    return {str(name): dict(params or {}) for name, params in raw.items()}
