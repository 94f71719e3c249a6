"""What every source of pictures and songs ends in, and how it is laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from unisono.io import parquet

#: Values of the column ``part``: the one view that an item has.
IMAGE, LYRICS = "image", "lyrics"
#: Columns of ``data/image2song/samples``; ``split`` follows where the source brings one.
TYPES: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "part": pa.string(),
    "group": pa.string(),
    "title": pa.string(),
    "words": pa.list_(pa.string()),
    "pair": pa.string(),
    "image": parquet.MEDIA,
    "text": pa.string(),
    "licence": pa.string(),
    "source": pa.string(),
}


class Picture(NamedTuple):
    """A picture as its source has it.

    Attributes
    ----------
    id : str
    title : str
    content : bytes
        A file.
    words : tuple of str
        Keywords as their source has them, lemmas later on.
    series : str
        Pictures that share it show nearly the same; empty where nothing is known.
    pair : str
        The song that it goes with, where it goes with one.
    split, licence : str
    plain : bool
        Whether it is made already what `unisono.media.plain` makes of a picture.
    """

    id: str
    title: str
    content: bytes
    words: tuple[str, ...] = ()
    series: str = ""
    pair: str = ""
    split: str = ""
    licence: str = ""
    plain: bool = False


class Song(NamedTuple):
    """A song as its source has it.

    Attributes
    ----------
    id : str
    title : str
    text : str
        All its words.
    pair : str
        Its own name, where pictures name it.
    split, licence : str
    sound : bytes
        A piece of it as FLAC; empty where nothing is to be heard.
    lemmas : tuple of str
        Found out later on, where the source does not bring them.
    """

    id: str
    title: str
    text: str
    pair: str = ""
    split: str = ""
    licence: str = ""
    sound: bytes = b""
    lemmas: tuple[str, ...] = ()


class Left(NamedTuple):
    """What gives no item, and why: `kind` is ``broken`` where something must be repaired."""

    item: str
    kind: str
    reason: str


class Found(NamedTuple):
    """What a source gives.

    Attributes
    ----------
    pictures : list of Picture
    songs : list of Song
    left : list of Left
    licences : mapping of str to str
    told : list of str
        Sentences for the card.
    facts : mapping of str to object
        Counts and versions for the summary.
    sample_rate : int
        Of the sounds of songs, in Hz; 0 where there is none.
    """

    pictures: Sequence[Picture] = ()
    songs: Sequence[Song] = ()
    left: Sequence[Left] = ()
    licences: Mapping[str, str] = {}
    told: Sequence[str] = ()
    facts: Mapping[str, Any] = {}
    sample_rate: int = 0
