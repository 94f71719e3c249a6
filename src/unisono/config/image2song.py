"""Section ``image2song``: songs for pictures, and pictures for songs (image, lyrics)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from unisono.config import Section
from unisono.config.choices import AND, Further, SeveralSources
from unisono.config.picture_extractors import Features
from unisono.config.sources import Source

#: Debian packages of the default sources, and those of `OpenClipart`.
FONT, CLDR, FORTUNES = "fonts-noto-color-emoji", "unicode-cldr-core", "fortunes"
CLIPART = ("openclipart-png", "openclipart-svg")


class DebianSource(Source):
    """A source that Debian packages bring.

    Attributes
    ----------
    packages : tuple of str
    """

    packages: ClassVar[tuple[str, ...]]

    @property
    def unwatched(self) -> str:
        """Say nothing: what a package brings changes with the package alone, whose version stands in the summary."""
        return ""

    def at_hand(self) -> str:
        """Say whether it is there, and which package brings what is not."""
        found = super().at_hand()
        return f"{found}; apt-get install {' '.join(self.packages)}" if found.startswith("no") else found


class Emoji(DebianSource):
    """Drawings of a colour-emoji font, with the keywords of Unicode's CLDR."""

    about = "Emoji of Debian's colour font, drawn by Pillow, with the keywords of Debian's CLDR"
    licence = "drawings Apache-2.0 and OFL 1.1 (Google's Noto Color Emoji), keywords Unicode-DFS-2016 (Unicode's CLDR)"
    size = "27 MB of Debian packages, 1,543 drawings"
    home = "https://packages.debian.org/bookworm/fonts-noto-color-emoji"
    lies_at = "font"
    stated = 1543
    packages = (FONT, CLDR)

    font: str
    annotations: str
    size_px: int = Field(ge=1, le=1000)

    @property
    def places(self) -> tuple[str, ...]:
        """The font and the folder of keywords."""
        return (self.font, self.annotations)


class OpenClipart(DebianSource):
    """The public-domain drawings of openclipart."""

    about = "Drawings of Debian's openclipart with the keywords of their SVG files, without folders that are no things"
    licence = "public domain but for some drawings, whose SVG file says another"
    size = "156 MB of Debian packages, about 3,000 drawings of things"
    home = "https://packages.debian.org/bookworm/openclipart-png"
    lies_at = "png"
    packages = CLIPART

    png: str
    svg: str
    left_out: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """The folders of pictures and of keywords."""
        return (self.png, self.svg)


class OwnSource(Source):
    """A source that brings pictures and their songs."""

    licence = "yours"
    lies_at = "location"
    usual = "data/raw/image2song"


class Folder(OwnSource):
    """A folder of pictures with the lyrics of their songs."""

    about = "Pictures of your own, with lyrics (.txt, .lrc) and sound files beside them, or one of each in a folder"

    location: str


class Manifest(OwnSource):
    """A CSV or Parquet file that names pictures and songs."""

    about = "A CSV or Parquet file of your own that names pictures, lyrics and, if you like, clips, songs, tags, splits"
    lies_at = "list"
    usual = "data/raw/image2song/pictures.csv"

    list: str


class Shuttersong(OwnSource):
    """JPEG files with a clip after their end, and a CSV."""

    about = "JPEG files that hold a clip after their end-of-image marker, with a CSV of their songs and lyrics"

    location: str


class ReadyMade(OwnSource):
    """Ready-made shards in unisono's own schema."""

    about = "Ready-made shards of your own"

    location: str


class Pictures(Section):
    """From a source to pictures with their keywords."""

    emoji: Emoji
    openclipart: OpenClipart
    folder: Folder
    manifest: Manifest
    shuttersong: Shuttersong
    parquet: ReadyMade
    max_side: int = Field(ge=32, le=2048)
    min_pictures_per_song: int = Field(ge=1)
    max_skipped_fraction: float = Field(ge=0, le=1)
    shard_size: int = Field(ge=1)


class Fortunes(DebianSource):
    """Songs and poems of Debian's fortunes."""

    about = "Songs and poems of Debian's fortunes, text only"
    licence = "the collection BSD; the single texts belong to their authors: at most a title or six words are shown"
    size = "1 MB of Debian packages, 720 texts"
    home = "https://packages.debian.org/bookworm/fortunes"
    lies_at = "location"
    stated = 545
    packages = (FORTUNES,)

    location: str


class BuiltSongs(Source):
    """The songs of the data set ``songs``, as it is built, with their sound."""

    about = "The songs of the data set `songs`, as songs.source has them, with the piece of each that is heard"
    licence = "as those of songs.source"
    size = "what songs.source gives"


class BuiltSamples(Source):
    """The songs of the data set ``mtm``, as it is built, with the sound of their first sample."""

    about = "The songs of the data set `mtm`, as mtm.source has them, with the sound of the first sample of each"
    licence = "as those of mtm.source"
    size = "what mtm.source gives"


class Songs(Further):
    """Where songs come from that pictures do not bring along."""

    fortunes: Fortunes
    songs: BuiltSongs
    mtm: BuiltSamples
    min_lemmas: int = Field(ge=1)
    opening_lemmas: int = Field(ge=1, le=100)
    sample_rate: int = Field(ge=8000, le=48000)
    clip_s: float = Field(ge=1, le=600)


class Relevance(Section):
    """Which words make a picture and a song fit."""

    min_pictures: int = Field(ge=1)
    min_songs: int = Field(ge=1)
    max_song_fraction: float = Field(gt=0, le=1)


class Split(Section):
    """Deals of pictures and songs into training and test parts."""

    test_pictures: float = Field(gt=0, lt=1)
    test_songs: float = Field(gt=0, lt=1)
    deals: int = Field(ge=1, le=100)
    seed: int = Field(ge=0)


class Image2song(SeveralSources):
    """The whole section."""

    block = "pictures"
    further = ("songs",)
    language: str = Field(pattern=r"^[a-z]{2,3}$")
    pictures: Pictures
    songs: Songs
    relevance: Relevance
    split: Split
    features: Features

    @model_validator(mode="after")
    def _keywords_are_needed(self) -> Image2song:
        if self.features.tags.set not in self.features.sets:
            raise ValueError(
                f"features.tags.set is {self.features.tags.set!r}, which features.sets does not make; add it there"
            )
        return self

    def unused(self, block: str) -> str:
        """Say that pictures bring their songs along, where they do."""
        del block
        return f"source {self.source} brings its songs along" if isinstance(self.chosen, OwnSource) else ""

    @property
    def named(self) -> str:
        """What is read, as it stands beside every number: ``emoji, fortunes``."""
        return AND.join([self.source, *([] if self.unused("songs") else [self.songs.source])])
