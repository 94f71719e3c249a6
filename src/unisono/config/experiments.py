"""Section ``experiments``: which method is trained and scored on which data set."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from unisono.config import Section, nearest, validate
from unisono.errors import ConfigError


class Experiment(Section):
    """One entry: a method on a data set."""

    dataset: Literal["mtm", "vegas", "mv10k"]
    model: str
    title: str
    table: str = ""
    views: dict[str, str] = Field(default_factory=dict)
    seeds: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    params: dict[str, Any] = Field(default_factory=dict)


def parse(raw: Any) -> Mapping[str, Experiment]:
    """Validate the section; keys are stage names, so they hold no dot."""
    if not isinstance(raw, dict):
        raise ConfigError(f"experiments: expected a mapping, got {type(raw).__name__}")
    for key in raw:
        if not str(key).replace("_", "").isalnum():
            raise ConfigError(f"experiments.{key}: a key may hold letters, digits and underscores only")
    entries = {str(key): validate(Experiment, value, where=f"experiments.{key}") for key, value in raw.items()}
    # By name: a stage that reads this section does not thereby depend on the code of every method.
    registry = importlib.import_module("unisono.models")
    for key, entry in entries.items():
        if entry.model not in registry.available():
            raise ConfigError(
                f"experiments.{key}.model: unknown method {entry.model!r}; {nearest(entry.model, registry.available())}"
            )
        registry.check_params(entry.model, entry.params, where=f"experiments.{key}.params")
    return entries
