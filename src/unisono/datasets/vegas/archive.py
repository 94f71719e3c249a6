"""Clips as video files in folders named by class, the layout of VEGAS: ``<class>/videos/<name>.mp4``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from unisono.datasets.vegas import Clip, Rejected
from unisono.errors import DataError
from unisono.io import archive, download

#: Endings of video files; pictures, sounds and notes beside them are passed over.
SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".mpg", ".mpeg", ".ts", ".wmv", ".ogv")
#: Folder between the class and its videos.
VIDEOS = "videos"


def clips(location: str, *, sha256: str = "", classes: Sequence[str] = ()) -> Iterator[Clip | Rejected]:
    """Read the clips of a folder or archive.

    Parameters
    ----------
    location : str
        Folder, zip, tar or tar.gz; a path or URL. The class of ``<class>/videos/<name>.mp4`` and of
        ``<class>/<name>.mp4`` is its folder's name, wherever in the source that folder lies.
    sha256 : str, optional
        Of an archive; empty = not checked.
    classes : sequence of str, optional
        Only these; all by default.

    Yields
    ------
    Clip or Rejected
        Ids are ``<class>_<name>``, or the name alone where it begins with the class.

    Raises
    ------
    DataError
        The source is damaged or leaves its folder (`unisono.io.archive`), a wanted class or any video at all is
        missing.
    DownloadError
        It cannot be fetched.
    """
    place = download.local_path(location)
    if place is not None and place.is_file() and place.name.lower().endswith(SUFFIXES):
        raise DataError(f"{location}: is a single video; give the folder or archive of <class>/{VIDEOS}/*.mp4")
    found: set[str] = set()
    for name, data in archive.members(location, suffixes=SUFFIXES, sha256=sha256):
        path = PurePosixPath(name)
        label = _label(path)
        if not label:
            yield Rejected(name, f"lies in no folder named by a class (<class>/{VIDEOS}/{path.name})")
        elif not classes or label in classes:
            found.add(label)
            stem = path.stem
            yield Clip(stem if stem.startswith(f"{label}_") else f"{label}_{stem}", label, path.name, data)
    missing = sorted(set(classes) - found)
    if missing:
        raise DataError(f"{location}: no video of class {missing[0]!r}; correct vegas.clips.archive.classes")
    if not found:
        raise DataError(
            f"{location}: no video files; expected <class>/{VIDEOS}/<name>.mp4 (or {', '.join(SUFFIXES[1:])})"
        )


def _label(path: PurePosixPath) -> str:
    """Name the class of a video: its folder's name, or nothing."""
    return (path.parent.parent if path.parent.name == VIDEOS else path.parent).name


def count(location: str, *, classes: Sequence[str] = ()) -> dict[str, int]:
    """Count the videos of each class by their names alone; nothing is decoded.

    Parameters
    ----------
    location : str
        A folder, zip or tar that is here.
    classes : sequence of str, optional
        As in `clips`.

    Returns
    -------
    dict of str to int
    """
    found: Counter[str] = Counter()

    def note(name: str) -> bool:
        label = _label(PurePosixPath(name))
        if label and (not classes or label in classes):
            found[label] += 1
        return False

    for _ in archive.members(location, suffixes=SUFFIXES, only=note):
        pass
    return dict(found)
