"""Section ``mtm``: the musical ternary data set (audio, sheet music, lyrics of the same 20 notes)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from unisono.config import Section
from unisono.config.keys import Key
from unisono.config.sources import Checksum, DataSetSection, Sha256, Source


class Music21(Source):
    """Scores of the corpus inside the installed music21 package."""

    stands_in = True
    about = "Songs with syllable-aligned lyrics in the corpus of the installed music21 package"
    licence = "compositions in the public domain; most encodings name no licence: read in place, never redistributed"
    size = "525 scores, 900 samples"
    home = "https://github.com/cuthbertLab/music21"
    stated = 900
    needs = "music21"

    collections: tuple[Literal["bach", "trecento", "songs"], ...] = Field(min_length=1)


class MusicXML(Source):
    """Folders, zips, tars or URLs of MusicXML files with lyrics."""

    about = "MusicXML with lyrics of your own: folders, zips, tars or URLs"
    lies_at = "locations"
    usual = "data/raw/mtm"

    locations: tuple[str, ...]
    sha256: tuple[Checksum, ...]

    @model_validator(mode="after")
    def _of_each(self) -> Self:
        if len(self.sha256) not in (0, len(self.locations)):
            raise ValueError(
                f"sha256 has {len(self.sha256)} entries and locations {len(self.locations)}; give one of each, or none"
            )
        return self


class LMD(Source):
    """The dissertation's lyrics-melody data (Yu and Canales)."""

    original = True
    about = "The dissertation's lyrics-melody data (Yu and Canales)"
    licence = "no licence stated, copyrighted lyrics; never redistribute"
    size = "1.84 GB unpacked, of which 11,517 small files are kept; 14,454 samples"
    home = "https://github.com/yy1lab/Lyrics-Conditioned-Neural-Melody-Generation"
    lies_at = "location"
    stated = 14454
    megabytes = 1840

    location: str
    sha256: str = Sha256
    folder: str
    rule: Literal["dissertation", "literal"]
    limit: Literal["beats", "seconds"]


class ReadyMade(Source):
    """Ready-made shards in unisono's own schema."""

    about = "Ready-made shards of your own"
    lies_at = "location"
    usual = "data/raw/mtm"

    location: Path


class Songs(Section):
    """From songs to 20-note samples."""

    music21: Music21
    musicxml: MusicXML
    lmd: LMD
    parquet: ReadyMade
    windows: Literal["all", "first_two"]
    max_duration: float | None = Field(gt=0)
    max_rest: float | None = Field(gt=0)
    grid: float = Field(gt=0, le=1)
    max_skipped_fraction: float = Field(ge=0, le=1)
    shard_size: int = Field(ge=1)


class Split(Section):
    """Train, validation and test parts."""

    by: Literal["song", "sample"]
    fractions: tuple[float, float, float]
    seed: int = Field(ge=0)

    @field_validator("fractions")
    @classmethod
    def _sums_to_one(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) <= 0 or abs(sum(value) - 1) > 1e-9:
            raise ValueError("train, validation and test fractions must be positive and sum to 1")
        return value


class Audio(Section):
    """Samples as piano audio, through MIDI and TiMidity++."""

    where: ClassVar[str] = "mtm.audio"

    sample_rate: int = Field(ge=8000, le=48000)
    program: int = Field(ge=0, le=127)
    soundfont: str
    seconds_per_beat: float = Field(gt=0)
    velocity: int = Field(ge=1, le=127)
    files_per_process: int = Field(ge=1)
    timeout_s: float = Field(gt=0)


class Engraver(Section):
    """How LilyPond is run and its pages are rasterised."""

    fragments_per_run: int = Field(ge=1, le=256)
    resolution_dpi: int = Field(ge=50, le=600)
    timeout_s: float = Field(gt=0)


class Engraving(Section):
    """One way of printing the samples; its name is the name of a view."""

    engrave_lyrics: bool


class VGGish(Section):
    """Audio features."""

    weights: Literal["untrained", "pretrained"]
    checkpoint: str
    checkpoint_sha256: str = Sha256
    pca: str
    pca_sha256: str = Sha256
    postprocess: Literal["none", "pca", "pca_8bit"]
    hop_s: float = Field(ge=0.01)
    seed: int = Field(ge=0)
    batch_size: int = Field(ge=1)


class ASMCMR(Section):
    """Sheet-music features: the audio-sheet-music encoder."""

    weights: Literal["trained", "pretrained", "untrained"]
    location: str
    sha256: str = Sha256
    snippets: int = Field(ge=1)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    margin: float = Field(gt=0)
    seed: int = Field(ge=0)


class StaffReader(Section):
    """Sheet-music features, note by note: the staff reader."""

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    seed: int = Field(ge=0)


class SkipGram(Section):
    """Lyrics features: skip-gram vectors of syllables and words."""

    weights: Literal["trained", "pretrained"]
    syllable_encoder: str
    syllable_encoder_sha256: str = Sha256
    word_encoder: str
    word_encoder_sha256: str = Sha256
    dimensions: int = Field(ge=1)
    window: int = Field(ge=1)
    min_count: int = Field(ge=1)
    negative: int = Field(ge=1)
    epochs: int = Field(ge=1)
    seed: int = Field(ge=0)


class Features(Section):
    """The extractors."""

    vggish: VGGish
    asmcmr: ASMCMR
    staff_reader: StaffReader
    skipgram: SkipGram


class Mtm(DataSetSection):
    """The whole section."""

    block = "songs"
    songs: Songs
    split: Split
    audio: Audio
    engraver: Engraver
    engravings: dict[Key, Engraving] = Field(min_length=1)
    features: Features
