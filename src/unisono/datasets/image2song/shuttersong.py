r"""JPEG files that hold a clip after their end, with a CSV of their songs.

**Conventions.** A JPEG ends where its segments do: an end-of-image marker inside a thumbnail, a comment or a sound is
none of its own. What follows is the clip; its format is told by its first bytes. A picture without a clip, or with
something else, is a picture all the same: it is counted. The CSV, the only one in the folder, has the columns of
`unisono.datasets.image2song.own.manifest`.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from unisono.config.image2song import Songs
from unisono.datasets.image2song import own
from unisono.datasets.image2song.item import Found, Left
from unisono.errors import DataError

#: Largest clip, in bytes.
MAX_CLIP_BYTES = 64 * 2**20
#: Formats of clips: suffix, and how the bytes begin.
FORMATS = (
    (".mp3", re.compile(rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]")),
    (".m4a", re.compile(rb"....ftyp", re.DOTALL)),
    (".wav", re.compile(rb"RIFF....WAVE", re.DOTALL)),
    (".ogg", re.compile(rb"OggS")),
    (".flac", re.compile(rb"fLaC")),
    (".caf", re.compile(rb"caff")),
    (".aif", re.compile(rb"FORM....AIF[FC]", re.DOTALL)),
)
#: What may stand between a picture and its clip, and how much of it before an MP4 box.
_FILLING, MAX_FILLING = b"\0\r\n", 4096
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
#: Markers without a length.
_ALONE = {0x01, _START, *range(0xD0, 0xD8)}
#: In a scan: a marker, but for stuffing, restarts and fill bytes.
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


def read(location: Path, settings: Songs) -> Found:
    """Read a folder of such files.

    Parameters
    ----------
    location : Path
        With one ``.csv`` file.
    settings : Songs
        Section ``image2song.songs``: rate and length of clips.

    Returns
    -------
    Found

    Raises
    ------
    DataError
        There is no such folder, or not one CSV in it; and as `unisono.datasets.image2song.own.manifest`.
    """
    lists = sorted(location.glob("*.csv"))
    if len(lists) != 1:
        raise DataError(
            f"{location}: {len(lists)} CSV files in it, expected one with image, lyric and song of every JPEG "
            "(data/README.md)"
        )
    clips = own.Clips(settings)
    kinds = Counter[str]()

    def clip_of(content: bytes, name: str) -> bytes:
        kind, clip = split(content)
        kinds[kind] += 1
        if not clip:
            clips.left.append(Left(name, "no clip", f"{kind} after the picture"))
            return b""
        return clips.of_bytes(clip, kind, name)

    found = own.manifest(lists[0], settings, clip_of=clip_of, clips=clips)
    named = {picture.id.removeprefix("picture/").partition("#")[0] for picture in found.pictures}
    named |= {each.item for each in found.left}
    more = [
        Left(path.name, "not listed", f"{lists[0].name} does not name it")
        for path in sorted(location.iterdir())
        if path.suffix.lower() in (".jpg", ".jpeg") and path.name not in named
    ]
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
    told = [f"found after the ends of the JPEG files: {said}"]
    return found._replace(
        left=[*found.left, *more], told=told, facts={**found.facts, "clips": dict(sorted(kinds.items()))}
    )


def split(content: bytes) -> tuple[str, bytes]:
    r"""Find the clip of a file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    kind : str
        Suffix of the clip (``.mp3``), or what there is instead: ``nothing``, ``something else``, ``no JPEG``, ``no
        end`` (truncated).
    clip : bytes
        Empty where there is none.

    Examples
    --------
    >>> split(b"\xff\xd8\xff\xd9ID3\x03")
    ('.mp3', b'ID3\x03')
    >>> split(b"\xff\xd8\xff\xe0\x00\x04\xff\xd9\xff\xd9")
    ('nothing', b'')
    """
    if not content.startswith(b"\xff\xd8"):
        return "no JPEG", b""
    end = end_of(content)
    if end is None:
        return "no end", b""
    rest = content[end:]
    if not rest.strip(_FILLING):
        return "nothing", b""
    # Zeros fill up a block before some clips; the size of an MP4 box begins with such.
    for start in (0, len(rest) - len(rest.lstrip(_FILLING)), rest[:MAX_FILLING].find(b"ftyp") - 4):
        for suffix, begins in FORMATS:
            if start >= 0 and begins.match(rest, start) and len(rest) - start <= MAX_CLIP_BYTES:
                return suffix, rest[start:]
    return "something else", b""


def end_of(content: bytes) -> int | None:
    """Find where a JPEG ends: the place after its end-of-image marker; None where it has none."""
    at = 2
    while at + 1 < len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == _END:
            return at + 2
        elif marker in _ALONE:
            at += 2
        else:
            size = int.from_bytes(content[at + 2 : at + 4], "big")
            if size < 2:
                return None
            at += 2 + size
            if marker == _SCAN:
                found = _MARKER.search(content, at)
                if found is None:
                    return None
                at = found.end() - 2
    return None
