"""Opening a source and reading its songs, file by file."""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from tqdm import tqdm

from unisono.config.mtm import LMD, Music21, MusicXML
from unisono.config.sources import Source
from unisono.datasets.mtm import corpus, lmd, musicxml, samples
from unisono.datasets.mtm.song import Skipped, Song
from unisono.errors import DataError
from unisono.io import archive


class Opened(NamedTuple):
    """An open source: its files, how to read one, what is known of the licences, and a file's collection."""

    members: Iterator[tuple[str, bytes]]
    read: Callable[[bytes, str], Song | Skipped]
    licences: Mapping[str, str]
    collection: Callable[[str], str]


@functools.singledispatch
def open_source(source: Source) -> Opened:
    """Open a source; what does so is registered for its class.

    Parameters
    ----------
    source : Source
        Of section ``mtm`` of params.yaml.

    Returns
    -------
    Opened

    Raises
    ------
    DataError, DownloadError
        The source is missing or cannot be fetched; mostly known only while it is read, and a wrong checksum only
        at the end.
    """
    raise source.unreadable()


@open_source.register
def _music21(source: Music21) -> Opened:
    names: Sequence[str] = source.collections
    licences = {name: corpus.COLLECTIONS[name].licence for name in names}
    return Opened(corpus.members(names), read_score, licences, corpus.collection)


@open_source.register
def _musicxml(source: MusicXML) -> Opened:
    names = place_names(source.places)
    licences = dict.fromkeys(source.places, "as its publisher states")
    return Opened(
        scores(source), read_score, licences, lambda file: file.partition("/")[0] if len(names) > 1 else names[0]
    )


def scores(source: MusicXML) -> Iterator[tuple[str, bytes]]:
    """Read the scores of all locations; where there are several, the name of its own stands before each file's."""
    names = place_names(source.places)
    checksums = source.sha256 or ("",) * len(names)
    for place, name, sha256 in zip(source.places, names, checksums, strict=True):
        for member, data in archive.members(place, suffixes=musicxml.SUFFIXES, sha256=sha256):
            yield (f"{name}/{member}" if len(names) > 1 else member), data


def place_names(places: Sequence[str]) -> list[str]:
    """Give every location a short name of its own.

    Examples
    --------
    >>> place_names(["https://example.org/OpenEWLD-1.tar.gz", "data/raw/mtm", "/other/mtm"])
    ['OpenEWLD-1', 'mtm', 'mtm-2']
    """
    found: list[str] = []
    for place in places:
        stem = re.sub(r"\.(zip|tar|tar\.gz|tgz)$", "", PurePosixPath(urlsplit(place).path).name, flags=re.IGNORECASE)
        same = sum(re.fullmatch(rf"{re.escape(stem)}(-\d+)?", name) is not None for name in found)
        found.append(f"{stem}-{same + 1}" if same else stem)
    return found


@open_source.register
def _lmd(source: LMD) -> Opened:
    members = archive.members(source.location, suffixes=lmd.SUFFIXES, under=source.folder, sha256=source.sha256)
    read = functools.partial(lmd.read, rule=source.rule, limit=source.limit)
    return Opened(members, read, {"lmd": lmd.LICENCE}, lambda file: "lmd")


def read_score(data: bytes, file: str) -> Song | Skipped:
    """Read a MusicXML score and choose its sung line."""
    score = musicxml.read(data, file)
    return samples.sung_line(score.lines, file, score.title or PurePosixPath(file).stem)


def read_songs(source: Opened) -> tuple[list[Song], list[Skipped]]:
    """Read every song of a source.

    Parameters
    ----------
    source : Opened

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
    with rare_collections():
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


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for garbage cycles less often: a file is thousands of small lists, without any cycle."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
