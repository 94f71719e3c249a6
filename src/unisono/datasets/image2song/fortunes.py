"""Songs and poems of Debian's fortunes.

**Conventions.** Texts are divided by lines of a single ``%``. What follows a line that begins with ``--`` names the
author and is no part of the text; a title in quotation marks there is the text's, else six words of its first line.
Letters that are struck over (``_`` and backspace) are themselves.
"""

from __future__ import annotations

import re
from pathlib import Path

from unisono.config.image2song import FORTUNES, Fortunes
from unisono.datasets import words
from unisono.datasets.image2song import packages
from unisono.datasets.image2song.item import Found, Song
from unisono.datasets.mtm.song import clean
from unisono.datasets.songs import lyrics
from unisono.errors import DataError

#: Largest file; Debian's has 0.23 MB.
MAX_BYTES = 16 * 2**20
#: Fewest texts: a file with fewer is none of fortunes.
FEWEST = 2
#: Words of a first line that stand for a title.
OPENING = 6
_STRUCK = re.compile("[^\n]\b")
_AUTHOR = re.compile(r"^\s*--", re.MULTILINE)
_TITLE = re.compile(r'"([^"\n]{2,80})"')


def read(source: Fortunes) -> Found:
    """Read the texts.

    Parameters
    ----------
    source : Fortunes

    Returns
    -------
    Found

    Raises
    ------
    DataError
        The file is missing, too large, in no known encoding, or is no file of fortunes.
    """
    path = Path(source.location)
    data = packages.content(path, FORTUNES, MAX_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    texts = [part for part in re.split(r"^%\s*$", text, flags=re.MULTILINE) if part.strip()]
    if len(texts) < FEWEST or "\0" in text:
        raise DataError(
            f"{path}: no file of fortunes, whose texts are divided by lines of a single %; apt-get install {FORTUNES}, "
            "or correct image2song.songs.fortunes.location"
        )
    songs = [_song(number, part) for number, part in enumerate(texts)]
    facts = {"fortunes": packages.version(FORTUNES), "n_texts": len(songs)}
    told = [f"{len(songs)} texts of `{path.name}` (package {FORTUNES} {facts['fortunes']})"]
    return Found(songs=songs, licences={"fortunes": source.licence}, facts=facts, told=told)


def _song(number: int, part: str) -> Song:
    part = _STRUCK.sub("", part)
    found = _AUTHOR.search(part)
    text, author = (part[: found.start()], part[found.end() :]) if found else (part, "")
    quoted = _TITLE.search(author)
    first = next((line for line in text.splitlines() if line.strip()), "")
    title = clean(quoted[1]) if quoted else words.first(clean(first[:1000]), OPENING)
    return Song(f"fortunes/{number:04d}", title, lyrics.plain(text))
