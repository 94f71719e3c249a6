"""Ready-made shards of songs, in the columns of ``data/songs/samples``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unisono.datasets.folds import PARTS
from unisono.datasets.mtm.song import clean
from unisono.datasets.songs import lyrics
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError
from unisono.io import parquet

#: Columns that are needed, besides ``midi`` or ``location``; and others.
NEEDED = ("id", "text")
OTHERS = ("title", "song", "language", "collection", "composer", "mode", "kind", "label")


def read(location: Path) -> tuple[list[Piece], dict[str, list[Any]]]:
    """Read and check ready-made shards.

    Parameters
    ----------
    location : Path
        A Parquet file, or a folder of them: ``id``, ``text``, ``midi`` (bytes) or ``location`` (path of a sound file)
        and, if there, ``title``, ``song``, ``language``, ``collection``, ``composer``, ``mode``, ``kind``, ``label``,
        ``start_s``, and ``fold`` or ``split``.

    Returns
    -------
    pieces : list of Piece
        Their files are the ids.
    divided : dict of str to list
        ``fold`` or ``split`` of each, where it is there.

    Raises
    ------
    DataError
        A file or column is missing, or a row is none; names the row, what was got and expected.
    """
    files = parquet.given(location)
    names = parquet.schema(files).names
    heard = next((name for name in ("midi", "location") if name in names), "midi")
    for name in (*NEEDED, heard):
        if name not in names:
            raise DataError(f"{location}: no column {name!r}; a song has id, text, midi or location (data/README.md)")
    divided = [name for name in ("fold", "split") if name in names][:1]
    wanted = [name for name in (*NEEDED, heard, *OTHERS, "start_s", *divided) if name in names]
    parquet.check_size(files, wanted)
    rows: list[dict[str, Any]] = parquet.to_list(parquet.read(files, wanted), str(location))
    pieces = [_piece(row, heard, f"{location}: row {index}") for index, row in enumerate(rows)]
    if not pieces:
        raise DataError(f"{location}: no rows; a song has id, text, midi or location (data/README.md)")
    if divided == ["split"]:
        wrong = next((index for index, row in enumerate(rows) if row["split"] not in PARTS), None)
        if wrong is not None:
            raise DataError(f"{location}: row {wrong}: split is {rows[wrong]['split']!r}, expected {', '.join(PARTS)}")
    return pieces, {name: [row[name] for row in rows] for name in divided}


def _piece(row: dict[str, Any], heard: str, where: str) -> Piece:
    for name in (*NEEDED, *OTHERS):
        if name in row and not isinstance(row[name], str):
            raise DataError(f"{where}: {name} is {row[name]!r}, expected a text")
    kind = bytes if heard == "midi" else str
    if not isinstance(row[heard], kind) or not row[heard]:
        raise DataError(f"{where}: {heard} is empty or none, expected {'bytes' if kind is bytes else 'a path'}")
    if len(row["text"]) > lyrics.MAX_BYTES:
        raise DataError(f"{where}: a text of {len(row['text']):,} letters, at most {lyrics.MAX_BYTES:,} are read")
    start_s = row.get("start_s")
    if start_s is not None and not (isinstance(start_s, (int, float)) and 0 <= start_s < 1e6):
        raise DataError(f"{where}: start_s is {start_s!r}, expected seconds")
    texts: dict[str, Any] = {name: clean(row[name]) for name in OTHERS if name in row}
    title = texts.pop("title", "") or row["id"]
    return Piece(
        file=row["id"],
        title=title,
        text=lyrics.plain(row["text"]),
        start_s=start_s,
        **{heard: row[heard]},
        **texts,
    )
