"""Reading the songs of a source."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from unisono.config.songs import LMD, Audio, Folder, Manifest, Music21, MusicXML, ReadyMade, Vectors
from unisono.config.sources import Source
from unisono.datasets.mtm import corpus, lmd
from unisono.datasets.mtm.song import Skipped
from unisono.datasets.mtm.sources import place_names, rare_collections
from unisono.datasets.mtm.sources import scores as scores_of
from unisono.datasets.songs import melodies, ready, recordings, scores, vectors
from unisono.datasets.songs.song import Found, Piece
from unisono.errors import DataError
from unisono.io import archive

#: Composer of a collection whose files mostly leave him out.
COMPOSERS = {"bach": "J.S. Bach"}

Reader = Callable[[bytes, str, Audio], Piece | Skipped]


@functools.singledispatch
def read(source: Source, settings: Audio) -> Found:
    """Read all songs of a source; what does so is registered for its class.

    Parameters
    ----------
    source : Source
        Of section ``songs`` of params.yaml.
    settings : Audio
        Section ``songs.audio``, with which scores are written as MIDI files.

    Returns
    -------
    Found

    Raises
    ------
    DataError, DownloadError
        The source as a whole cannot be read.
    """
    del settings
    raise source.unreadable()


@read.register
def _music21(source: Music21, settings: Audio) -> Found:
    pieces, skipped = _files(corpus.members(source.collections), scores.read, settings)
    named = []
    for piece in pieces:
        name = corpus.collection(piece.file)
        named.append(piece._replace(collection=name, composer=piece.composer or COMPOSERS.get(name, "")))
    return Found(named, skipped, {name: corpus.COLLECTIONS[name].licence for name in source.collections})


@read.register
def _musicxml(source: MusicXML, settings: Audio) -> Found:
    pieces, skipped = _files(scores_of(source), scores.read, settings)
    names = place_names(source.places)
    placed = [
        piece._replace(collection=piece.file.partition("/")[0] if len(names) > 1 else names[0]) for piece in pieces
    ]
    return Found(placed, skipped, dict.fromkeys(source.places, "as its publisher states"))


@read.register
def _lmd(source: LMD, settings: Audio) -> Found:
    members = archive.members(source.location, suffixes=lmd.SUFFIXES, under=source.folder, sha256=source.sha256)
    return Found(*_files(members, melodies.read, settings), {"lmd": lmd.LICENCE})


@read.register
def _folder(source: Folder, settings: Audio) -> Found:
    del settings
    return Found(*recordings.folder(Path(source.place)), {source.place: "as their makers state"})


@read.register
def _manifest(source: Manifest, settings: Audio) -> Found:
    del settings
    return Found(*recordings.manifest(Path(source.place)), {source.place: "as their makers state"}, named=True)


@read.register
def _vectors(source: Vectors, settings: Audio) -> Found:
    del settings
    return Found(vectors.read(Path(source.place)), [], {source.place: "as their maker states"}, named=True)


@read.register
def _ready_made(source: ReadyMade, settings: Audio) -> Found:
    del settings
    pieces, divided = ready.read(Path(source.place))
    return Found(pieces, [], {source.place: "as their maker states"}, named=True, divided=divided)


def _files(members: Iterable[tuple[str, bytes]], reader: Reader, settings: Audio) -> tuple[list[Piece], list[Skipped]]:
    """Read song after song, sorted by file; a damaged file is skipped."""
    pieces: list[Piece] = []
    skipped: list[Skipped] = []
    with rare_collections():
        for file, data in tqdm(members, desc="songs", unit=" files", disable=None):
            try:
                found = reader(data, file, settings)
            except DataError as error:
                found = Skipped(file, "broken", str(error).removeprefix(f"{file}: "))
            if isinstance(found, Piece):
                pieces.append(found)
            else:
                skipped.append(found)
    return sorted(pieces, key=lambda piece: piece.file), sorted(skipped)
