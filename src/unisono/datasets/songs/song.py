"""What every source of songs ends in, and how it is laid out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from unisono.datasets.mtm.song import Skipped

#: Columns of ``data/songs/samples``; one or two of `MORE` follow.
TYPES: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "song": pa.string(),
    "title": pa.string(),
    "file": pa.string(),
    "text": pa.string(),
    "n_words": pa.int32(),
    "language": pa.string(),
    "collection": pa.string(),
    "composer": pa.string(),
    "mode": pa.string(),
    "kind": pa.string(),
    "label": pa.string(),
    "start_s": pa.float64(),
}
#: What is heard: a MIDI file, or the path of a sound file.
MORE: Mapping[str, pa.DataType] = {"midi": pa.binary(), "location": pa.string()}


class Piece(NamedTuple):
    """A song as its source has it.

    Attributes
    ----------
    file : str
        Path inside the source, with ``/``, or another name of its own.
    title : str
    text : str
        All its words, in one line.
    collection, composer, mode, language : str
        Empty where unknown; an empty language is found out from the text.
    label, kind : str
        Where the source says it; empty otherwise.
    midi : bytes
        A MIDI file; empty where there is a sound file.
    location : str
        Path of the sound file.
    start_s : float or None
        Where its piece begins; None = where all begin.
    melody : hashable
        Its opening; files that share it are one song.
    song : str
        Its group, where the source says it.
    vectors : mapping of str to np.ndarray [shape=(d,), dtype=float32]
        Features by view, of a source that brings them.
    """

    file: str
    title: str
    text: str
    collection: str = ""
    composer: str = ""
    mode: str = ""
    language: str = ""
    label: str = ""
    kind: str = ""
    midi: bytes = b""
    location: str = ""
    start_s: float | None = None
    melody: Hashable = ()
    song: str = ""
    vectors: Mapping[str, np.ndarray] = {}


class Found(NamedTuple):
    """What a source gives.

    Attributes
    ----------
    pieces : list of Piece
    skipped : list of Skipped
    licences : mapping of str to str
    named : bool
        Whether `Piece.file` is an id already, and no path.
    divided : mapping of str to list
        ``fold`` or ``split`` of every piece, where the source brings it.
    """

    pieces: list[Piece]
    skipped: list[Skipped]
    licences: Mapping[str, str]
    named: bool = False
    divided: Mapping[str, list[Any]] = {}
