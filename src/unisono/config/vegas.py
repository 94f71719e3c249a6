"""Section ``vegas``: short clips of one class each, seen and heard."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from unisono.config import Section, TopLevel
from unisono.config.extractors import Extractors

Sha256 = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class Digits(Section):
    """Handwritten digits in a video, spoken by espeak-ng."""

    clips_per_class: int = Field(ge=2)
    outside_per_class: int = Field(ge=0)
    groups: int = Field(ge=2)
    seed: int = Field(ge=0)


class Archive(Section):
    """A folder or archive of video files, one folder per class."""

    location: str
    sha256: str = Sha256
    classes: tuple[str, ...]


class YouTube(Section):
    """A list of pieces of YouTube videos."""

    list: str
    min_available: float = Field(ge=0, le=1)
    sleep_s: float = Field(ge=0)
    max_height: int = Field(ge=144)


class Published(Section):
    """The authors' published feature files."""

    location: str
    sha256: str = Sha256


class ReadyMade(Section):
    """Ready-made shards in unisono's own schema."""

    location: str


class Clips(Section):
    """From a source to selected clips."""

    digits: Digits
    archive: Archive
    youtube: YouTube
    features: Published
    parquet: ReadyMade
    min_duration_s: float = Field(ge=0)
    max_duration_s: float = Field(gt=0)
    shard_size: int = Field(ge=1)

    @model_validator(mode="after")
    def _is_a_range(self) -> Clips:
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError("min_duration_s must be smaller than max_duration_s")
        return self


class Folds(Section):
    """Cross-validation, balanced by class."""

    n: int = Field(ge=2)
    outside: float = Field(ge=0, lt=1)
    seed: int = Field(ge=0)


class Vegas(TopLevel):
    """The whole section."""

    source: Literal["digits", "archive", "youtube", "features", "parquet"]
    clips: Clips
    features: Extractors
    folds: Folds
