"""Pictures and songs of one's own: a folder of them, or a CSV or Parquet file that names them.

**Conventions.** They pair by song: every picture goes with one, and a song may have several pictures. In a folder the
lyrics of ``x.jpg`` are ``x.txt``, else ``x.lrc`` (time stamps are taken out), else the one file of lyrics that its
folder holds, which then is a song with all pictures of that folder; the clip is the sound file of the lyrics' name.
Links out of the folder, and paths in a list that leave the list's folder, are refused.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from unisono.config.image2song import Songs
from unisono.datasets.folds import PARTS
from unisono.datasets.image2song.item import Found, Left, Picture, Song
from unisono.datasets.mtm.song import clean
from unisono.datasets.songs import lyrics
from unisono.errors import DataError, pass_machine
from unisono.io import parquet, texts
from unisono.media import audio, excerpt

#: Endings of files that are taken for pictures.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".svg")
#: Columns of a list: those that are needed, and others.
NEEDED = ("image", "lyric")
OTHERS = ("clip", "song", "tags", "split", "title")
#: Largest list and picture, in bytes.
MAX_LIST_BYTES, MAX_PICTURE_BYTES = 256 * 2**20, 128 * 2**20
#: Divides tags in a cell of a CSV.
_BETWEEN = (";", "|")


class Clips:
    """Pieces of sound files as FLAC, each made once; what cannot be heard is listed."""

    def __init__(self, settings: Songs) -> None:
        self.settings = settings
        self.left: list[Left] = []
        self._made: dict[str, bytes] = {}

    def of_file(self, path: Path, name: str) -> bytes:
        """Read a file; empty, and noted, where nothing is to be heard."""
        if name not in self._made:
            self._made[name] = b""
            try:
                rate = self.settings.sample_rate
                samples = excerpt.read(path, start_s=0.0, clip_s=self.settings.clip_s, rate=rate)
                self._made[name] = audio.encode_flac(samples, rate)
            except DataError as error:
                self.left.append(Left(name, "no sound", str(error)))
        return self._made[name]

    def of_bytes(self, content: bytes, suffix: str, name: str) -> bytes:
        """Read the bytes of a file."""
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            file.write(content)
            file.flush()
            return self.of_file(Path(file.name), name)


def folder(location: Path, settings: Songs) -> Found:
    """Read a folder of pictures with lyrics, at any depth.

    Parameters
    ----------
    location : Path
    settings : Songs
        Section ``image2song.songs``: rate and length of clips.

    Returns
    -------
    Found

    Raises
    ------
    DataError
        There is no such folder, or no picture in it.
    """
    if not location.is_dir():
        raise DataError(f"{location}: no such folder; correct the path")
    top = location.resolve()
    clips = Clips(settings)
    pictures: list[Picture] = []
    songs: dict[str, Song] = {}
    left: list[Left] = []
    for name in sorted(_files(location)):
        path = location / name
        try:
            beside = _beside(path)
            if beside is None:
                left.append(Left(name, "no lyric", "no .txt or .lrc of its name, nor a single one in its folder"))
                continue
            if not all(each.resolve().is_relative_to(top) for each in (path, beside)):
                raise DataError("a link that leaves the folder; replace it by what it means")
            key = beside.relative_to(location).with_suffix("").as_posix()
            content = picture_of(path, path.name)
            if key not in songs:
                songs[key] = _song(key, text_of(beside), _sound_beside(beside, top, clips), title=beside.stem)
            pictures.append(Picture(f"picture/{name}", clean(path.stem), content, pair=key))
        except (DataError, LookupError) as error:
            left.append(Left(name, "broken", str(error)))
    if not pictures and not left:
        raise DataError(f"{location}: no picture in it ({', '.join(SUFFIXES[:4])}, ...)")
    return _found(pictures, songs, [*left, *clips.left], str(location), settings)


def manifest(
    path: Path, settings: Songs, *, clip_of: Callable[[bytes, str], bytes] | None = None, clips: Clips | None = None
) -> Found:
    """Read a list of pictures and songs.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, or Parquet: ``image`` (path from the list's folder), ``lyric`` (such a path of a .txt or .lrc
        file, or the text itself) and, if there, ``clip`` (path of a sound file), ``song`` (rows that share it are
        pictures of one song, whose lyric needs to stand in one of them alone; else those of one lyric are), ``tags``
        (keywords of the picture, in a CSV divided by ``;``), ``split`` (train, validation, test), ``title`` of the
        song.
    settings : Songs
        Section ``image2song.songs``: rate and length of clips.
    clip_of : callable, optional
        Finds the clip in the bytes of a picture: what `unisono.datasets.image2song.shuttersong` does.
    clips : Clips, optional
        Where `clip_of` keeps its sounds.

    Returns
    -------
    Found
        Rows whose files are missing or damaged, or whose lyric is empty, are left out.

    Raises
    ------
    DataError
        It is missing, neither CSV in UTF-8 nor Parquet, lacks a column or has an unknown one; a path leaves the folder;
        a song has two lyrics or splits.
    """
    clips = clips or Clips(settings)
    pictures: list[Picture] = []
    songs: dict[str, Song] = {}
    left: list[Left] = []
    rows = list(_rows(path))
    divided = any(row["split"] for _, row in rows)
    names = Counter[str]()
    lines: dict[str, str] = {}
    for where, row in rows:
        if divided and row["split"] not in PARTS:
            raise DataError(f"{where}: split is {row['split']!r}, expected one of {', '.join(PARTS)} in every row")
        image = inside(row["image"], path.parent, f"{where}: image")
        try:
            text = _lyric(row["lyric"], path.parent, f"{where}: lyric")
            key = row["song"] or lines.setdefault(text, f"song{len(lines):05d}")
            known = songs.get(key)
            if not text and (known is None or not known.text):
                raise LookupError("its lyric is empty")
            if known is not None and text and known.text and text != known.text:
                raise DataError(
                    f"{where}: song {key!r} has another lyric in a row before; give each song a name of its own"
                )
            if known is not None and known.split != row["split"]:
                raise DataError(
                    f"{where}: song {key!r} is in the split {known.split!r} in a row before; it lies in one"
                )
            content = picture_of(image, row["image"])
            sound = clip_of(content, row["image"]) if clip_of else b""
            if row["clip"]:
                place = inside(row["clip"], path.parent, f"{where}: clip")
                sound = clips.of_file(place, row["clip"]) if place.is_file() else b""
                if not place.is_file():
                    clips.left.append(Left(row["clip"], "no sound", "no such file"))
        except LookupError as error:
            left.append(Left(row["image"] or where, "broken", str(error)))
            continue
        if known is None:
            songs[key] = _song(key, text, sound, title=row["title"], split=row["split"])
        else:
            songs[key] = known._replace(text=known.text or text, sound=known.sound or sound)
        names[row["image"]] += 1
        more = f"#{names[row['image']]}" if names[row["image"]] > 1 else ""
        title = clean(PurePosixPath(row["image"]).stem)
        pictures.append(
            Picture(f"picture/{row['image']}{more}", title, content, row["tags"], pair=key, split=row["split"])
        )
    return _found(pictures, songs, [*left, *clips.left], str(path), settings)


def _found(pictures: list[Picture], songs: Mapping[str, Song], left: list[Left], place: str, settings: Songs) -> Found:
    """Put pictures and songs together."""
    heard = any(song.sound for song in songs.values())
    per_song = Counter(picture.pair for picture in pictures)
    facts = {"largest_song": max(per_song.values(), default=0)}
    return Found(
        pictures, list(songs.values()), left, {place: "as their makers state"}, facts=facts,
        sample_rate=settings.sample_rate if heard else 0,
    )  # fmt: skip


def _song(key: str, text: str, sound: bytes, *, title: str = "", split: str = "") -> Song:
    return Song(f"song/{key}", clean(title) or key, text, pair=key, split=split, sound=sound)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the rows of a list: where each stands, and its cells."""
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; expected a CSV or Parquet file with {', '.join(NEEDED)} (data/README.md)"
        )
    if path.suffix.lower() == ".parquet":
        yield from _table(path)
        return
    if path.stat().st_size > MAX_LIST_BYTES:
        raise DataError(f"{path}: {path.stat().st_size:,} bytes, at most {MAX_LIST_BYTES:,} are read; divide it")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not in UTF-8; save it so") from None
    for line, row in texts.csv_rows(text, str(path), NEEDED, OTHERS):
        cells: dict[str, Any] = dict(row)
        between = next((mark for mark in _BETWEEN if mark in row["tags"]), _BETWEEN[0])
        cells["tags"] = _tags(row["tags"].split(between))
        yield f"{path}, line {line}", cells


def _table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    names = parquet.schema([path]).names
    for name in NEEDED:
        if name not in names:
            raise DataError(f"{path}: has no column {name!r}; expected {', '.join((*NEEDED, *OTHERS))}")
    wanted = [name for name in (*NEEDED, *OTHERS) if name in names]
    parquet.check_size([path], wanted)
    rows: list[dict[str, Any]] = parquet.to_list(parquet.read([path], wanted), str(path))
    for number, row in enumerate(rows):
        where = f"{path}: row {number}"
        tags = row.pop("tags", None) or []
        for name, value in row.items():
            if value is not None and not isinstance(value, str):
                raise DataError(f"{where}: {name} is {value!r:.100}, expected a text")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise DataError(f"{where}: tags is {tags!r:.100}, expected a list of texts")
        yield where, {name: (row.get(name) or "").strip() for name in (*NEEDED, *OTHERS)} | {"tags": _tags(tags)}


def _tags(tags: list[str]) -> tuple[str, ...]:
    """Clean keywords: without markup, each once."""
    return tuple(dict.fromkeys(filter(None, (lyrics.plain(tag[:1000]) for tag in tags))))


def _lyric(value: str, within: Path, where: str) -> str:
    """Read a lyric: a file, or the text itself."""
    if not value.lower().endswith(lyrics.SUFFIXES) or "\n" in value:
        return lyrics.plain(value[: lyrics.MAX_BYTES])
    place = inside(value, within, where)
    try:
        return text_of(place)
    except DataError as error:
        raise LookupError(str(error)) from None


def inside(value: str, within: Path, where: str) -> Path:
    """Resolve a path of a list.

    Parameters
    ----------
    value : str
    within : Path
        The list's folder.
    where : str
        For messages.

    Returns
    -------
    Path
        It need not be there.

    Raises
    ------
    DataError
        It leaves the folder, or is no path.
    """
    place = within / value
    try:
        leaves = not place.resolve().is_relative_to(within.resolve())
    except (OSError, ValueError) as error:
        pass_machine(error)
        raise DataError(f"{where} {value[:100]!r} is no path ({error}); correct it") from None
    if leaves:
        raise DataError(f"{where} {value[:100]!r} leaves the folder of the list; put the file into it")
    return place


def picture_of(path: Path, name: str) -> bytes:
    """Read the file of a picture; a `LookupError` says that it is missing, too large, or cannot be read."""
    try:
        if not name or not path.is_file():
            raise LookupError(f"{name}: no such file" if name else "names no image")
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise LookupError(f"{name}: {path.stat().st_size:,} bytes, at most {MAX_PICTURE_BYTES:,} are read")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        pass_machine(error)
        raise LookupError(f"{name}: cannot be read ({error})") from None


def text_of(path: Path) -> str:
    """Read lyrics from a file; a `DataError` says that they cannot be."""
    try:
        if path.stat().st_size > lyrics.MAX_BYTES:
            raise DataError(
                f"{path.name}: lyrics of {path.stat().st_size:,} bytes, at most {lyrics.MAX_BYTES:,} are read"
            )
        return lyrics.plain(lyrics.decode(path.read_bytes()), stamped=path.suffix.lower() == ".lrc")
    except (OSError, ValueError) as error:
        pass_machine(error)
        raise DataError(f"{path.name}: cannot be read ({error}); correct the path or its permissions") from None
    except DataError as error:
        raise DataError(f"{path.name}: {error}".replace(f"{path.name}: {path.name}: ", f"{path.name}: ")) from None


def _files(location: Path) -> Iterator[str]:
    """List the pictures of a folder."""
    for parent, _, names in os.walk(location):
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("._"):
                yield Path(parent, name).relative_to(location).as_posix()


def _beside(path: Path) -> Path | None:
    """Find the lyrics of a picture."""
    for suffix in lyrics.SUFFIXES:
        if (found := path.with_suffix(suffix)).is_file():
            return found
    of_folder = [each for each in path.parent.iterdir() if each.suffix.lower() in lyrics.SUFFIXES and each.is_file()]
    return of_folder[0] if len(of_folder) == 1 else None


def _sound_beside(text: Path, top: Path, clips: Clips) -> bytes:
    """Read the sound file of the lyrics' name."""
    for suffix in excerpt.SUFFIXES:
        found = text.with_suffix(suffix)
        if found.is_file() and found.resolve().is_relative_to(top):
            return clips.of_file(found, found.relative_to(text.parent).as_posix())
    return b""
