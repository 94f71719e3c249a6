"""Section ``experiments``: which method is trained and scored on which data set.

How an experiment is called and where it stands is section ``report``; whether there is such a method with such
hyper-parameters says `unisono.evaluation.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from unisono.config import PARAMS_FILE, Section, section, validate
from unisono.config.keys import Key, is_key
from unisono.errors import ConfigError

#: How scores become a ranking: as they are, or by `unisono.metrics.csls`, which takes all queries at once.
Ranking = Literal["cosine", "csls"]


def _grid(value: Any) -> Any:
    lists = isinstance(value, dict) and all(isinstance(values, list) for values in value.values())
    if not (isinstance(value, bool) or lists):
        raise ValueError("expected true, false, or lists of values by hyper-parameter, as {ridge: [0.1, 1.0]}")
    return value


#: Whether hyper-parameters are chosen, by the method's own grid (true) or by one of these values.
Tune = Annotated[bool | dict[str, list[Any]], BeforeValidator(_grid)]


class Variant(Section):
    """One setting of an experiment: what it changes, and its label in tables."""

    setting: str
    params: dict[str, Any] = Field(default_factory=dict)
    views: dict[str, Key] = Field(default_factory=dict)
    division: str = ""
    ranking: Ranking | None = None


class Experiment(Section):
    """One entry: a method on a data set."""

    dataset: str
    model: str
    views: dict[str, Key] = Field(default_factory=dict)
    division: str = ""
    ranking: Ranking = "cosine"
    seeds: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    deals: int = Field(default=1, ge=1, le=100)
    params: dict[str, Any] = Field(default_factory=dict)
    tune: Tune = False
    variants: list[Variant] = Field(default_factory=list)

    @property
    def settings(self) -> list[Variant]:
        """What is run: each variant on top of the entry's own params and views, or the entry alone."""
        return [
            Variant(
                setting=variant.setting,
                params={**self.params, **variant.params},
                views={**self.views, **variant.views},
                division=variant.division or self.division,
                ranking=variant.ranking or self.ranking,
            )
            for variant in self.variants or [Variant(setting="")]
        ]


def load_experiments(path: Path = PARAMS_FILE) -> Mapping[str, Experiment]:
    """Read and validate the section: experiments by key.

    Raises
    ------
    ConfigError
        A key is not letters, digits and underscores, an entry has an unknown or wrong value, or two variants one label.
    """
    raw = section("experiments", path)
    if not isinstance(raw, dict):
        raise ConfigError(f"experiments: expected a mapping, got {type(raw).__name__}")
    entries: dict[str, Experiment] = {}
    for key, value in raw.items():
        where = f"experiments.{key}"
        if not is_key(str(key)):
            raise ConfigError(f"{where}: a key may hold letters, digits and underscores only")
        entry = entries[str(key)] = validate(Experiment, value, where=where)
        labels = [variant.setting for variant in entry.variants]
        for position, label in enumerate(labels):
            if not label or label in labels[:position]:
                raise ConfigError(
                    f"{where}.variants.{position}.setting: got {label!r}; every variant needs a label of its own (as "
                    "k=10)"
                )
    return entries
