"""Section ``songs``: whole songs, heard and read (audio, lyrics)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from unisono.config import Section, mtm
from unisono.config.songs_extractors import Extractors
from unisono.config.sources import DataSetSection, Sha256, Source
from unisono.config.text_extractors import TextExtractors

#: Columns that `Songs.label` may name.
CATEGORIES = ("collection", "language", "composer", "mode")


class Music21(mtm.Music21):
    """Whole scores of the corpus inside the installed music21 package."""

    about = "Whole scores with lyrics in the corpus of the installed music21 package, played by TiMidity++"
    size = "525 scores, 415 songs of 20 words and more"
    stated = 415
    #: Of the public domain: as many words may be shown as there are.
    free_text: ClassVar[bool] = True


class MusicXML(mtm.MusicXML):
    """Folders, zips, tars or URLs of MusicXML files with lyrics."""

    about = "MusicXML with lyrics of your own, played by TiMidity++: folders, zips, tars or URLs"
    usual = "data/raw/songs"


class LMD(Source):
    """The lyrics-melody data (Yu and Canales): melodies by their own onsets, without accompaniment."""

    about = "Yu and Canales' lyrics-melody data: melodies as they were played, without accompaniment"
    licence = mtm.LMD.licence
    size = mtm.LMD.size.split(";")[0]
    home = mtm.LMD.home
    lies_at = "location"
    megabytes = mtm.LMD.megabytes

    location: str
    sha256: str = Sha256
    folder: str


class Folder(Source):
    """A folder of sound files with their lyrics."""

    about = "Sound files of your own, with lyrics beside them (.txt, .lrc) or in their tags"
    licence = "yours"
    lies_at = "location"
    usual = "data/raw/songs"
    needs = "mutagen"

    location: str


class Manifest(Source):
    """A CSV that names sound files and lyrics."""

    about = "A CSV of your own that names sound files and lyrics"
    licence = "yours"
    lies_at = "list"
    usual = "data/raw/songs/songs.csv"

    list: str


class Vectors(Source):
    """Two matrices of features."""

    has_features = True
    about = "Features of your own, a vector of sound and one of words for each song"
    licence = "yours"
    lies_at = "location"
    usual = "data/raw/songs"

    location: str


class ReadyMade(Source):
    """Ready-made shards in unisono's own schema."""

    about = "Ready-made shards of your own"
    licence = "yours"
    lies_at = "location"
    usual = "data/raw/songs"

    location: str


class Pieces(Section):
    """From a source to songs with their lyrics."""

    music21: Music21
    musicxml: MusicXML
    lmd: LMD
    folder: Folder
    manifest: Manifest
    features: Vectors
    parquet: ReadyMade
    min_words: int = Field(ge=1)
    shingle_words: int = Field(ge=2, le=20)
    shingle_share: float = Field(gt=0, le=1)
    max_skipped_fraction: float = Field(ge=0, le=1)
    shard_size: int = Field(ge=1)


class Programs(Section):
    """General MIDI programmes, from 0."""

    sung: int = Field(ge=0, le=127)
    other: int = Field(ge=0, le=127)


class Audio(Section):
    """The piece of every song that is heard, and how scores are played."""

    where: ClassVar[str] = "songs.audio"

    sample_rate: int = Field(ge=8000, le=48000)
    clip_s: float = Field(ge=1, le=600)
    start_s: float = Field(ge=0)
    programs: Programs
    soundfont: str
    seconds_per_beat: float = Field(gt=0)
    velocity: int = Field(ge=1, le=127)
    files_per_process: int = Field(ge=1)
    timeout_s: float = Field(gt=0)


class Split(Section):
    """Deals of the songs into training and test parts."""

    test: float = Field(gt=0, lt=1)
    deals: int = Field(ge=1, le=100)
    max_cosine: float = Field(gt=0, le=1)
    shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field(max_length=20)
    seed: int = Field(ge=0)


class Texts(TextExtractors):
    """The sets that are made of the lyrics, by their extractors' names, and how."""

    sets: list[Literal["doc2vec", "tfidf", "glove", "huggingface_text"]] = Field(min_length=1)


class Features(Extractors):
    """The sets that are made of the sound, by their extractors' names, and how; those of the lyrics."""

    sets: list[Literal["mfcc", "mfcc_stats", "musicnn", "vggish", "huggingface_audio"]] = Field(min_length=1)
    texts: Texts


class Songs(DataSetSection):
    """The whole section."""

    block = "pieces"
    label: Literal["kind", "collection", "language", "composer", "mode"]
    pieces: Pieces
    audio: Audio
    split: Split
    features: Features
