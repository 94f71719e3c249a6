"""Ready-made shards of pictures and songs, in the columns of ``data/image2song/samples``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from unisono.datasets.folds import PARTS
from unisono.datasets.image2song.item import IMAGE, LYRICS, Found, Picture, Song
from unisono.datasets.mtm.song import clean
from unisono.datasets.songs import lyrics
from unisono.errors import DataError
from unisono.io import parquet

#: Columns that are needed, and others.
NEEDED = ("id", "part", "image", "text")
OTHERS = ("title", "group", "words", "pair", "split", "licence")
#: Longest text and most keywords of an item.
MAX_WORDS = 100_000


def read(location: Path) -> Found:
    """Read and check ready-made shards.

    Parameters
    ----------
    location : Path
        A Parquet file, or a folder of them: ``id``, ``part`` (``image`` or ``lyrics``), ``image`` (struct of ``bytes``
        and ``path``; empty for songs), ``text`` (empty for pictures) and, if there, ``title``, ``group`` (pictures
        that share it are one series), ``words`` (keywords; of songs their lemmas in order), ``pair`` (the song of
        both, for all rows or none), ``split``, ``licence``.

    Returns
    -------
    Found

    Raises
    ------
    DataError
        A file or column is missing, or a row is none; names the row, what was got and expected.
    """
    files = parquet.given(location)
    schema = parquet.schema(files)
    for name in NEEDED:
        if name not in schema.names:
            raise DataError(f"{location}: no column {name!r}; an item has {', '.join(NEEDED)} (data/README.md)")
    wanted = [name for name in (*NEEDED, *OTHERS) if name in schema.names]
    if not pa.types.is_struct(schema.field("image").type):
        raise DataError(f"{location}: image is {schema.field('image').type}, expected a struct of bytes and path")
    parquet.check_size(files, wanted)
    pictures: list[Picture] = []
    songs: list[Song] = []
    number = 0
    for batch in parquet.iterate(files, wanted, batch_size=64):
        for row in parquet.to_list(pa.chunked_array([batch.to_struct_array()]), str(location)):
            item = _item(row, f"{location}: row {number}")
            number += 1
            if isinstance(item, Picture):
                pictures.append(item)
            else:
                songs.append(item)
    if not pictures or not songs:
        raise DataError(f"{location}: {len(pictures)} pictures and {len(songs)} songs; some of both are needed")
    paired = sum(bool(picture.pair) for picture in pictures) + sum(bool(song.pair) for song in songs)
    if paired not in (0, number):
        raise DataError(f"{location}: {paired} of {number} rows have a pair; give it to all of them, or to none")
    return Found(pictures, songs, licences={str(location): "as their maker states"})


def _item(row: dict[str, Any], where: str) -> Picture | Song:
    for name in ("id", "part", "text", "title", "group", "pair", "split", "licence"):
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise DataError(f"{where}: {name} is {value!r:.100}, expected a text")
    identifier, part = row["id"] or "", row["part"]
    if not identifier or not identifier.isprintable():
        raise DataError(f"{where}: id is {identifier!r:.100}, expected a name")
    if part not in (IMAGE, LYRICS):
        raise DataError(f"{where}: part is {part!r:.100}, expected {IMAGE} or {LYRICS}")
    split = row.get("split") or ""
    if "split" in row and split not in PARTS:
        raise DataError(f"{where}: split is {split!r:.100}, expected {', '.join(PARTS)}")
    words = row.get("words") or []
    if not isinstance(words, list) or len(words) > MAX_WORDS or not all(isinstance(word, str) for word in words):
        raise DataError(f"{where}: words is {words!r:.100}, expected a list of texts")
    kept = tuple(filter(None, (lyrics.plain(word[:100]) for word in words)))
    title, pair = clean((row.get("title") or "")[:1000]) or identifier, row.get("pair") or ""
    licence = clean((row.get("licence") or "")[:1000])
    if part == LYRICS:
        text = row["text"] or ""
        if len(text) > lyrics.MAX_BYTES:
            raise DataError(f"{where}: a text of {len(text):,} letters, at most {lyrics.MAX_BYTES:,} are read")
        return Song(identifier, title, lyrics.plain(text), pair, split, licence, lemmas=kept)
    image = row["image"] or {}
    content = image.get("bytes") if isinstance(image, dict) else None
    if not isinstance(content, bytes) or not content:
        raise DataError(f"{where}: image has no bytes, expected the file of a picture")
    return Picture(identifier, title, content, kept, row.get("group") or "", pair, split, licence)
