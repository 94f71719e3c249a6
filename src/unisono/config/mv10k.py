"""Section ``mv10k``: music videos of YouTube-8M, their moods and the chunks of their audio that count."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from unisono.config import Section
from unisono.config.sources import STAND_IN, DataSetSection, Sha256, Source


class Simulated(Source):
    """Videos drawn from a documented random model."""

    stands_in = True
    about = f"YouTube-8M files written from a documented random model; {STAND_IN}"
    licence = "made here"
    size = "made here, 0.3 MB a video"

    videos: int = Field(ge=10)
    rejected: int = Field(ge=0)
    tagged: int = Field(ge=10)
    seed: int = Field(ge=0)

    def n_items(self) -> int:
        """Count the videos that pass."""
        return self.videos


class YouTube8M(Source):
    """The public frame-level shards."""

    original = True
    about = "YouTube-8M's public frame-level shards"
    licence = "CC BY 4.0 (Google)"
    size = "2 x 3,844 shards of 133 MB, streamed; 0.25 MB is kept of each accepted video"
    home = "https://research.google.com/youtube8m/"
    lies_at = "plan"
    megabytes = 3844 * 133 * 2

    plan: str
    mirrors: tuple[str, ...] = Field(min_length=1)
    partitions: tuple[Literal["train", "validate"], ...] = Field(min_length=1)
    max_videos: int = Field(ge=10)
    shards_per_group: int = Field(ge=1)

    def n_items(self) -> int:
        """Count the videos with which reading ends."""
        return self.max_videos


class Published(Source):
    """The authors' published feature files."""

    original = True
    has_features = True
    about = "The authors' published features"
    licence = "none stated; used, never redistributed"
    size = "10,000 videos; by hand from Google Drive, linked from its home"
    home = "https://github.com/ZenzenDatabase/CMR"
    lies_at = "location"
    usual = "data/raw/mv10k"
    stated = 10000

    location: str
    sha256: str = Sha256


class ReadyMade(Source):
    """Ready-made shards in unisono's own schema."""

    about = "Ready-made shards of your own"
    licence = "as their makers state"
    lies_at = "location"
    usual = "data/raw/mv10k"

    location: Path


class Videos(Section):
    """From shards of a source to accepted videos."""

    simulated: Simulated
    youtube8m: YouTube8M
    features: Published
    parquet: ReadyMade
    rule: Literal["only_label", "no_other_vertical"]
    vocabulary: str
    vocabulary_sha256: str = Sha256
    min_frames: int = Field(ge=1)
    max_frames: int = Field(ge=1)
    shard_size: int = Field(ge=1)

    @model_validator(mode="after")
    def _is_a_range(self) -> Videos:
        if self.min_frames > self.max_frames:
            raise ValueError("min_frames must not be larger than max_frames")
        return self


class Emotion(Section):
    """The emotion model: bi-directional LSTM with attention over chunks of 3 s."""

    tags: str
    audio: str
    weights: Literal["trained", "pretrained"]
    location: str
    sha256: str = Sha256
    chunk_s: int = Field(ge=1)
    units: int = Field(ge=1)
    attention_units: int = Field(ge=1)
    features: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    seed: int = Field(ge=0)


class Selection(Section):
    """The `keep` best of `chunks` equal chunks of an audio."""

    keep: int = Field(ge=1)
    chunks: int = Field(ge=1)

    @model_validator(mode="after")
    def _keeps_some(self) -> Selection:
        if self.keep > self.chunks:
            raise ValueError("keep must not be larger than chunks")
        return self

    @property
    def name(self) -> str:
        """End of the columns' names: ``1_3`` for one of three chunks."""
        return f"{self.keep}_{self.chunks}"


class Features(Section):
    """From frames to a vector and a short sequence per video and view."""

    visual: Literal["max", "mean"]
    sequence: int = Field(ge=1)
    selections: tuple[Selection, ...]
    seed: int = Field(ge=0)


class Moods(Section):
    """Mood labels by k-means on emotion features."""

    seeds: str
    clusters: int = Field(ge=2)
    small_cluster: Literal["balance", "merge"]
    max_iterations: int = Field(ge=1)


class Folds(Section):
    """Cross-validation, balanced by mood."""

    n: int = Field(ge=2)
    seed: int = Field(ge=0)


class Mv10k(DataSetSection):
    """The whole section."""

    block = "videos"
    videos: Videos
    emotion: Emotion
    moods: Moods
    features: Features
    folds: Folds
