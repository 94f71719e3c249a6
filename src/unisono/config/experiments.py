"""Section ``experiments``: which method is trained and scored on which data set."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from unisono.config import Section, nearest, validate
from unisono.errors import ConfigError

#: Views of each data set, in the dissertation's order; it may have more feature sets than views.
VIEWS = {"mtm": ("audio", "sheet", "lyrics"), "vegas": ("audio", "visual"), "mv10k": ("audio", "visual")}


class Variant(Section):
    """One setting of an experiment: what it changes, and its label in tables."""

    setting: str
    params: dict[str, Any] = Field(default_factory=dict)
    views: dict[str, str] = Field(default_factory=dict)


class Experiment(Section):
    """One entry: a method on a data set."""

    dataset: Literal["mtm", "vegas", "mv10k"]
    model: str
    title: str
    tables: list[str] = Field(default_factory=list)
    views: dict[str, str] = Field(default_factory=dict)
    seeds: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    params: dict[str, Any] = Field(default_factory=dict)
    variants: list[Variant] = Field(default_factory=list)

    @property
    def settings(self) -> list[Variant]:
        """What is run: each variant on top of the entry's own params and views, or the entry alone."""
        return [
            Variant(
                setting=variant.setting,
                params={**self.params, **variant.params},
                views={**self.views, **variant.views},
            )
            for variant in self.variants or [Variant(setting="")]
        ]


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
        _check_views(entry.views, VIEWS[entry.dataset], where=f"experiments.{key}.views")
        registry.check_params(entry.model, entry.params, where=f"experiments.{key}.params")
        known: set[str] = set()
        for position, variant in enumerate(entry.variants):
            where = f"experiments.{key}.variants.{position}"
            if not variant.setting or variant.setting in known:
                raise ConfigError(
                    f"{where}.setting: got {variant.setting!r}; every variant needs a label of its own (as k=10)"
                )
            known.add(variant.setting)
            _check_views(variant.views, VIEWS[entry.dataset], where=f"{where}.views")
            registry.check_params(entry.model, {**entry.params, **variant.params}, where=f"{where}.params")
    return entries


def _check_views(views: Iterable[str], legal: Iterable[str], *, where: str) -> None:
    for view in views:
        if view not in legal:
            raise ConfigError(f"{where}: the data set has no view {view!r}; {nearest(view, legal)}")
