"""Section ``report``: what the report shows, and how experiments are called there."""

from __future__ import annotations

from pydantic import Field

from unisono.config import Section, TopLevel
from unisono.config.experiments import Experiment
from unisono.errors import ConfigError


class Above(Section):
    """What an experiment must be above, and in what; see `unisono.report.above`."""

    over: list[str]
    measure: str = ""
    mean: bool = False
    interval: bool = False
    oracle: list[str] = Field(default_factory=list)


class Report(TopLevel):
    """Looks: the HTML report's gallery, titles, who stands in which table and figure; what must be above what."""

    gallery_items: int = Field(ge=0)
    gallery_mb: float = Field(ge=0)
    sound_s: float = Field(gt=0)
    titles: dict[str, str] = Field(default_factory=dict)
    tables: dict[str, list[str]] = Field(default_factory=dict)
    figures: dict[str, list[str]] = Field(default_factory=dict)
    above_chance: dict[str, list[str]] = Field(default_factory=dict)
    above: dict[str, Above] = Field(default_factory=dict)
    leaderboards: dict[str, list[str]] = Field(default_factory=dict)
    recommended: dict[str, str] = Field(default_factory=dict)

    def title(self, key: str, experiment: Experiment) -> str:
        """Name an experiment for a reader: by its own title, its method's, or the method's name."""
        return self.titles.get(key) or self.titles.get(experiment.model) or experiment.model

    def figure(self, number: str) -> list[str]:
        """List the experiments of a figure that cannot be drawn without one."""
        keys = self.figures.get(number)
        if not keys:
            raise ConfigError(f"report.figures.{number}: no experiment stands there; name at least one")
        return keys

    def places(self, key: str) -> dict[str, int]:
        """Say where an experiment stands: by number of a table, or ``"fig5.9"``, its place in that list."""
        lists = self.tables | {f"fig{number}": keys for number, keys in self.figures.items()}
        return {number: keys.index(key) for number, keys in lists.items() if key in keys}
