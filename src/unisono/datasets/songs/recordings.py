"""Songs as sound files with their lyrics: of a folder, or as a CSV names them.

**Conventions.** Sound is not looked into here but for its tags; it is read where pieces of it are made. In a folder the
lyrics of ``song.mp3`` are ``song.txt``, else ``song.lrc``, else those in its tags; the folder right below the top is
its collection. Links out of the folder, and paths in a CSV that leave the CSV's folder, are refused.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

from unisono.datasets.mtm.song import Skipped, clean
from unisono.datasets.songs import categories, lyrics
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError, pass_machine
from unisono.io import texts
from unisono.media import excerpt

#: Columns of a manifest: those that are needed, and others.
NEEDED = ("id", "audio", "lyrics")
OTHERS = ("title", "label", "language", "artist", "start_s")
#: Largest manifest, in bytes.
MAX_CSV_BYTES = 256 * 2**20
#: Where lyrics lie among a file's tags: ID3, Vorbis comments, MP4, ASF; and titles and composers.
_LYRICS = ("USLT", "lyrics", "unsyncedlyrics", "\xa9lyr", "WM/Lyrics")
_TITLE = ("TIT2", "title", "\xa9nam", "Title")
_COMPOSER = ("TCOM", "composer", "\xa9wrt", "WM/Composer")
#: Letters that are read of titles and composers.
_MAX_NAME = 1000


def folder(location: Path) -> tuple[list[Piece], list[Skipped]]:
    """Read a folder of sound files, at any depth.

    Parameters
    ----------
    location : Path

    Returns
    -------
    pieces : list of Piece
    skipped : list of Skipped

    Raises
    ------
    DataError
        There is no such folder, or no sound file in it.
    """
    if not location.is_dir():
        raise DataError(f"{location}: no such folder; correct the path")
    pieces: list[Piece] = []
    skipped: list[Skipped] = []
    seen: dict[str, str] = {}
    for name, path in sorted(_files(location)):
        stem = str(PurePosixPath(name).with_suffix(""))
        if not path.resolve().is_relative_to(location.resolve()):
            skipped.append(Skipped(name, "broken", "a link that leaves the folder; replace it by what it means"))
        elif stem in seen:
            skipped.append(Skipped(name, "broken", f"{seen[stem]} has the same name and lyrics; keep one of them"))
        else:
            seen[stem] = name
            try:
                pieces.append(_piece(name, path, location))
            except DataError as error:
                skipped.append(Skipped(name, "broken", str(error)))
    if not seen:
        raise DataError(f"{location}: no sound file in it ({', '.join(excerpt.SUFFIXES[:4])}, ...)")
    return pieces, skipped


def _files(location: Path) -> Iterator[tuple[str, Path]]:
    """List the sound files of a folder."""
    for parent, _, names in os.walk(location):
        for name in names:
            if name.lower().endswith(excerpt.SUFFIXES) and not name.startswith("._"):
                path = Path(parent, name)
                yield path.relative_to(location).as_posix(), path


def _piece(name: str, path: Path, location: Path) -> Piece:
    """Read the lyrics and tags of a sound file."""
    tags = _tags(path)
    beside = next((found for suffix in lyrics.SUFFIXES if (found := path.with_suffix(suffix)).is_file()), None)
    if beside is None:
        text = lyrics.plain(_first(tags, _LYRICS, lyrics.MAX_BYTES), stamped=True)
    elif beside.resolve().is_relative_to(location.resolve()):
        text = _text_file(beside)
    else:
        raise DataError(f"{beside.name}: a link that leaves the folder; replace it by what it means")
    parts = PurePosixPath(name).parts
    return Piece(
        file=name,
        title=clean(_first(tags, _TITLE, _MAX_NAME))[:200] or PurePosixPath(name).stem,
        text=text,
        collection=clean(parts[0]) if len(parts) > 1 else "",
        composer=categories.composer(_first(tags, _COMPOSER, _MAX_NAME)),
        location=str(path),
    )


def _text_file(path: Path) -> str:
    """Read lyrics from a file."""
    try:
        if path.stat().st_size > lyrics.MAX_BYTES:
            raise DataError(f"lyrics of {path.stat().st_size:,} bytes, at most {lyrics.MAX_BYTES:,} are read")
        data = path.read_bytes()
        return lyrics.plain(lyrics.decode(data), stamped=path.suffix.lower() == lyrics.STAMPED)
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{path.name}: cannot be read: {error.strerror or error}; check permissions") from None
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from None


def _tags(path: Path) -> Mapping[str, Any]:
    """Read the tags of a sound file; none where there are none, or they are damaged."""
    import mutagen
    from mutagen.id3 import _frames

    # A megabyte of a compressed frame becomes a gigabyte, and nobody writes any.
    _frames.zlib = SimpleNamespace(decompress=_refuse, error=zlib.error)
    try:
        with _Sober(io.FileIO(path)) as file:
            return dict((mutagen.File(file) or {}).items())
    except Exception as error:  # damage shows as whatever it leads to
        pass_machine(error)
        return {}


class _Sober(io.BufferedReader):
    """A file of which no more is asked for than there is: Python takes the memory before it reads."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as a file does."""
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def _refuse(data: bytes) -> bytes:
    raise zlib.error(f"{len(data):,} compressed bytes, which are not read")


def _first(tags: Mapping[str, Any], names: tuple[str, ...], most: int) -> str:
    """Give the first text of some tags, at most so many letters of it."""
    for name in names:
        for key, value in tags.items():
            if key == name or key.startswith(f"{name}:") or key.lower() == name:
                text = getattr(value, "text", value)
                return str(text[0] if isinstance(text, list) and text else text or "")[:most]
    return ""


def manifest(path: Path) -> tuple[list[Piece], list[Skipped]]:
    """Read a CSV of sound files and lyrics.

    Parameters
    ----------
    path : Path
        Columns ``id``, ``audio`` (path of a sound file from the CSV's folder), ``lyrics`` (such a path of a .txt or
        .lrc file, or the text itself) and, if there, ``title``, ``label``, ``language`` (ISO 639-1), ``artist``,
        ``start_s``.

    Returns
    -------
    pieces : list of Piece
        Their files are the ids.
    skipped : list of Skipped
        Rows whose files are missing or damaged.

    Raises
    ------
    DataError
        It is missing, no CSV in UTF-8, lacks a column or has an unknown one; an id is none or occurs twice; a path
        leaves the folder; a number is none.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a CSV with {', '.join(NEEDED)} (data/README.md)")
    if path.stat().st_size > MAX_CSV_BYTES:
        raise DataError(f"{path}: {path.stat().st_size:,} bytes, at most {MAX_CSV_BYTES:,} are read; divide it")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not in UTF-8; save it so") from None
    pieces: list[Piece] = []
    skipped: list[Skipped] = []
    seen: dict[str, int] = {}
    for line, row in texts.csv_rows(text, str(path), NEEDED, OTHERS):
        identifier, where = row["id"], f"{path}, line {line}"
        if not identifier or any(c in "/\\" or not c.isprintable() for c in identifier):
            raise DataError(f"{where}: id {identifier!r}, expected a name without slashes and control characters")
        if identifier in seen:
            raise DataError(f"{where}: id {identifier!r} is that of line {seen[identifier]}, too; ids are unique")
        seen[identifier] = line
        try:
            pieces.append(_row(row, path.parent, where))
        except LookupError as error:
            skipped.append(Skipped(identifier, "broken", str(error)))
    return pieces, skipped


def _row(row: Mapping[str, str], folder: Path, where: str) -> Piece:
    """Read a row of a manifest; a `LookupError` says that a file is missing or damaged."""
    try:
        start_s = float(row["start_s"]) if row["start_s"] else None
    except ValueError:
        start_s = -1.0
    if start_s is not None and not 0 <= start_s < 1e6:
        raise DataError(f"{where}: start_s is {row['start_s']!r}, expected seconds")
    location = _inside(row["audio"], folder, f"{where}: audio")
    if row["lyrics"].lower().endswith(lyrics.SUFFIXES) and "\n" not in row["lyrics"]:
        place = _inside(row["lyrics"], folder, f"{where}: lyrics")
        try:
            text = _text_file(place)
        except DataError as error:
            raise LookupError(str(error)) from None
    else:
        text = lyrics.plain(row["lyrics"])
    return Piece(
        file=row["id"],
        title=clean(row["title"]) or row["id"],
        text=text,
        composer=categories.composer(row["artist"]),
        language=clean(row["language"]).lower(),
        label=clean(row["label"]),
        location=str(location),
        start_s=start_s,
    )


def _inside(value: str, folder: Path, where: str) -> Path:
    """Find a file of a manifest's folder."""
    try:
        place = folder / value
        if not place.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{where} {value!r} leaves the folder of the manifest; put the file into it")
        if not value or not place.is_file():
            raise LookupError(f"{value}: no such file")
    except (OSError, ValueError) as error:
        pass_machine(error)
        raise LookupError(f"{value[:100]!r} is no path ({error})") from None
    return place
