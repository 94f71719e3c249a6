"""Section ``mv10k``: music videos of YouTube-8M, their moods and the chunks of their audio that count."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from unisono.config import Section, TopLevel

Sha256 = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class Simulated(Section):
    """Videos drawn from a documented random model."""

    videos: int = Field(ge=10)
    rejected: int = Field(ge=0)
    tagged: int = Field(ge=10)
    seed: int = Field(ge=0)


class YouTube8M(Section):
    """The public frame-level shards."""

    plan: str
    mirrors: tuple[str, ...] = Field(min_length=1)
    partitions: tuple[Literal["train", "validate"], ...] = Field(min_length=1)
    max_videos: int = Field(ge=10)
    shards_per_group: int = Field(ge=1)


class Published(Section):
    """The authors' published feature files."""

    location: str
    sha256: str = Sha256


class ReadyMade(Section):
    """Ready-made shards in unisono's own schema."""

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


class Mv10k(TopLevel):
    """The whole section."""

    source: Literal["simulated", "youtube8m", "features", "parquet"]
    videos: Videos
    emotion: Emotion
    moods: Moods
    features: Features
    folds: Folds
