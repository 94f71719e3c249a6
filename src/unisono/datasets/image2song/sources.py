"""Reading the pictures and songs of a source."""

from __future__ import annotations

import functools
from pathlib import Path

from unisono.config.image2song import (
    BuiltSamples,
    BuiltSongs,
    Emoji,
    Folder,
    Fortunes,
    Image2song,
    Manifest,
    OpenClipart,
    ReadyMade,
    Shuttersong,
)
from unisono.config.sources import Source
from unisono.datasets.image2song import built, emoji, fortunes, openclipart, own, ready, shuttersong
from unisono.datasets.image2song.item import Found


@functools.singledispatch
def read(source: Source, section: Image2song) -> Found:
    """Read all pictures of a source, or songs, or both; what does so is registered for its class.

    Parameters
    ----------
    source : Source
        Of section ``image2song`` of params.yaml.
    section : Image2song
        The section: language, and how clips are made.

    Returns
    -------
    Found

    Raises
    ------
    DataError
        The source as a whole cannot be read.
    """
    del section
    raise source.unreadable()


@read.register
def _emoji(source: Emoji, section: Image2song) -> Found:
    return emoji.read(source, section.language)


@read.register
def _openclipart(source: OpenClipart, section: Image2song) -> Found:
    del section
    return openclipart.read(source)


@read.register
def _folder(source: Folder, section: Image2song) -> Found:
    return own.folder(Path(source.place), section.songs)


@read.register
def _manifest(source: Manifest, section: Image2song) -> Found:
    return own.manifest(Path(source.place), section.songs)


@read.register
def _shuttersong(source: Shuttersong, section: Image2song) -> Found:
    return shuttersong.read(Path(source.place), section.songs)


@read.register
def _ready_made(source: ReadyMade, section: Image2song) -> Found:
    del section
    return ready.read(Path(source.place))


@read.register
def _fortunes(source: Fortunes, section: Image2song) -> Found:
    del section
    return fortunes.read(source)


@read.register
def _songs(source: BuiltSongs, section: Image2song) -> Found:
    del source
    return built.songs(section.language)


@read.register
def _mtm(source: BuiltSamples, section: Image2song) -> Found:
    del source
    return built.mtm(section.language)
