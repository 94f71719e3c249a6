"""Section ``vegas``: short clips of one class each, seen and heard."""

from __future__ import annotations

from pydantic import Field, model_validator

from unisono.config import Section
from unisono.config.extractors import Extractors
from unisono.config.sources import STAND_IN, DataSetSection, Sha256, Source


class Digits(Source):
    """Handwritten digits in a video, spoken by espeak-ng."""

    stands_in = True
    about = f"Handwritten digits that drift through a video, spoken by espeak-ng; {STAND_IN}"
    licence = "digits: UCI Optical Recognition of Handwritten Digits, CC BY 4.0; the speech is made here"
    size = "made here, 0.05 MB a clip"
    home = "https://archive.ics.uci.edu/dataset/80"
    needs = "espeak-ng"

    clips_per_class: int = Field(ge=2)
    outside_per_class: int = Field(ge=0)
    groups: int = Field(ge=2)
    seed: int = Field(ge=0)

    def n_items(self) -> int:
        """Count the clips inside and outside the folds, of ten digits."""
        return 10 * (self.clips_per_class + self.outside_per_class)


class Archive(Source):
    """A folder or archive of video files, one folder per class."""

    about = "Video files of your own, one folder per class"
    licence = "as their makers state"
    lies_at = "location"
    usual = "data/raw/vegas"
    stated = 28103

    location: str
    sha256: str = Sha256
    classes: tuple[str, ...]


class YouTube(Source):
    """A list of pieces of YouTube videos."""

    about = "Pieces of YouTube videos"
    licence = "of their uploaders; for research under YouTube's terms, never redistribute"
    size = "whole videos, up to vegas.clips.youtube.max_height"
    home = "https://www.youtube.com"
    lies_at = "list"
    usual = "data/raw/vegas/clips.csv"
    needs = "yt_dlp"

    list: str
    min_available: float = Field(ge=0, le=1)
    sleep_s: float = Field(ge=0)
    max_height: int = Field(ge=144)


class Published(Source):
    """The authors' published feature files."""

    original = True
    has_features = True
    about = "The authors' published features"
    licence = "none stated; used, never redistributed"
    size = "28,103 clips, 0.13 GB as one vector each; by hand from Google Drive, linked from its home"
    home = "https://github.com/ZenzenDatabase/CMR"
    lies_at = "location"
    usual = "data/raw/vegas"
    stated = 28103

    location: str
    sha256: str = Sha256


class ReadyMade(Source):
    """Ready-made shards in unisono's own schema."""

    about = "Ready-made shards of your own"
    licence = "as their makers state"
    lies_at = "location"
    usual = "data/raw/vegas"

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


class Vegas(DataSetSection):
    """The whole section."""

    block = "clips"
    clips: Clips
    features: Extractors
    folds: Folds
