"""Opening the configured source and reading its songs, file by file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tqdm import tqdm

from unisono.config.mtm import Mtm
from unisono.datasets.mtm import corpus, lmd, musicxml, samples
from unisono.datasets.mtm.song import Skipped, Song
from unisono.errors import DataError
from unisono.io import archive, download


class Source(NamedTuple):
    """An open source: its files, how to read one, and what is known of the licences."""

    members: Iterator[tuple[str, bytes]]
    read: Callable[[bytes, str], Song | Skipped]
    licences: Mapping[str, str]


def open_source(params: Mtm, raw: Path) -> Source:
    """Open ``music21``, ``musicxml`` or ``lmd``.

    Parameters
    ----------
    params : Mtm
        Section ``mtm`` of params.yaml.
    raw : Path
        Folder for an archive that is fetched whole because its checksum is given; others are streamed.

    Returns
    -------
    Source

    Raises
    ------
    DataError, DownloadError
        The source is missing, has the wrong checksum or cannot be fetched (some of it only while it is read).
    """
    songs = params.songs
    if params.source == "music21":
        names = songs.music21.collections
        licences = {name: corpus.COLLECTIONS[name].licence for name in names}
        return Source(corpus.members(names), read_score, licences)
    if params.source == "musicxml":
        location = _fetched(songs.musicxml.location, songs.musicxml.sha256, raw)
        members = archive.members(location, suffixes=musicxml.SUFFIXES)
        return Source(members, read_score, {songs.musicxml.location: "as its publisher states"})
    location = _fetched(songs.lmd.location, songs.lmd.sha256, raw)
    members = archive.members(location, suffixes=lmd.SUFFIXES, under=songs.lmd.folder)
    reader = functools.partial(lmd.read, rule=songs.lmd.rule, limit=songs.lmd.limit)
    return Source(members, reader, {"lmd": lmd.LICENCE})


def _fetched(location: str, sha256: str, raw: Path) -> str:
    """Fetch and check a location whose checksum is given."""
    if not sha256:
        return location
    name = PurePosixPath(location.partition("?")[0]).name
    return str(download.fetch(location, raw / name, sha256=sha256, description=name))


def read_score(data: bytes, file: str) -> Song | Skipped:
    """Read a MusicXML score and choose its sung line."""
    score = musicxml.read(data, file)
    return samples.sung_line(score.lines, file, score.title or PurePosixPath(file).stem)


def read_songs(source: Source) -> tuple[list[Song], list[Skipped]]:
    """Read every song of a source.

    Parameters
    ----------
    source : Source

    Returns
    -------
    songs : list of Song
        In the order of their files' names.
    skipped : list of Skipped
        Files without a song, with the reason; a damaged file is one of them.

    Raises
    ------
    DataError, DownloadError
        The source as a whole cannot be read.
    """
    songs: list[Song] = []
    skipped: list[Skipped] = []
    for file, data in tqdm(source.members, desc="songs", unit=" files", disable=None):
        try:
            found = source.read(data, file)
        except DataError as error:
            found = Skipped(file, "broken", str(error).removeprefix(f"{file}: "))
        if isinstance(found, Song):
            songs.append(found)
        else:
            skipped.append(found)
    return sorted(songs, key=lambda song: song.file), sorted(skipped)
