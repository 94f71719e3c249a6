"""Drawings of Debian's openclipart, with the keywords of their SVG files.

**Conventions.** Pictures are those of openclipart-png, keywords the ``dc:subject`` of the SVG file of the same name in
openclipart-svg; nothing is drawn or run of that. Folders of what is no thing (buttons, flags, diodes, road signs, a
thousand machine-made stars) are left out, and so are further names of one file. File names that differ in a number are
one series. Titles hold the names of authors: the name of a drawing is that of its file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from unisono.config.image2song import CLIPART, OpenClipart
from unisono.datasets.image2song import markup, packages
from unisono.datasets.image2song.item import Found, Left, Picture
from unisono.datasets.mtm.song import clean
from unisono.datasets.songs import lyrics
from unisono.errors import DataError

#: Largest picture file, in bytes.
MAX_PNG_BYTES = 64 * 2**20
_SUBJECT = ".//{http://purl.org/dc/elements/1.1/}subject"
_LICENCE = ("{http://web.resource.org/cc/}license", "{http://creativecommons.org/ns#}license")
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
_NUMBER = re.compile(r"[ _-]*\d+(?=\.|$)|_r\d+$")
#: What a program wrote in place of a keyword.
_NO_WORD = re.compile(r"hash(\(|$)|unsorted$", re.IGNORECASE)


def read(source: OpenClipart) -> Found:
    """Read all drawings of things that have keywords.

    Parameters
    ----------
    source : OpenClipart

    Returns
    -------
    Found

    Raises
    ------
    DataError
        A package is missing, or holds no picture.
    """
    png, svg = Path(source.png), Path(source.svg)
    for path, package in zip((png, svg), CLIPART, strict=True):
        if not path.is_dir():
            raise packages.missing(path, package)
    pictures, left = [], []
    seen: set[Path] = set()
    n_folders = 0
    # Links after what they mean, whose name is the better one.
    for name in sorted(_names(png), key=lambda name: ((png / name).is_symlink(), name)):
        if any(f"{name}/".startswith(f"{folder}/") for folder in source.left_out):
            n_folders += 1
            continue
        path = png / name
        real = path.resolve()
        if real in seen or not real.is_relative_to(png.resolve()):
            left.append(Left(name, "repeated", "another name of a drawing that is there"))
            continue
        seen.add(real)
        try:
            words, licence = keywords(svg / PurePosixPath(name).with_suffix(".svg"))
        except DataError as error:
            left.append(Left(name, "no keywords", str(error).rpartition("/")[2]))
            continue
        if not words:
            left.append(Left(name, "no keywords", "its SVG file names no subject"))
            continue
        stem = PurePosixPath(name).stem
        title = clean(_NUMBER.sub("", stem).replace("_", " "))
        content = packages.content(path, CLIPART[0], MAX_PNG_BYTES)
        pictures.append(
            Picture(f"openclipart/{name.removesuffix('.png')}", title, content, words, series_of(stem), licence=licence)
        )
    if not pictures:
        raise DataError(f"{png}: no drawing with keywords in it; apt-get install {' '.join(CLIPART)}")
    versions = {package: packages.version(package) for package in CLIPART}
    of = ", ".join(f"{package} {number}" for package, number in versions.items())
    told = [
        f"{len(pictures)} drawings of openclipart ({of}); {n_folders} more lie in folders of what is no thing "
        "(`image2song.pictures.openclipart.left_out`)"
    ]
    return Found(pictures, left=left, licences={"openclipart": source.licence}, told=told, facts=versions)


def _names(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".png"):
                yield Path(parent, name).relative_to(folder).as_posix()


def series_of(stem: str) -> str:
    """Give what file names share that differ in a number.

    Examples
    --------
    >>> series_of("frying_pan_02"), series_of("frying_pan_03")
    ('frying_pan', 'frying_pan')
    """
    return _NUMBER.sub("", stem) or stem


def keywords(path: Path) -> tuple[tuple[str, ...], str]:
    """Read the keywords of a drawing, and its licence.

    Parameters
    ----------
    path : Path
        An SVG file.

    Returns
    -------
    keywords : tuple of str
        As they stand there, without markup.
    licence : str
        ``public domain``, or what the file says; empty where it says nothing.

    Raises
    ------
    DataError
        It is missing or no XML.
    """
    root = markup.parse(packages.content(path, CLIPART[1], markup.MAX_BYTES), str(path))
    found = root.find(_SUBJECT)
    said = [] if found is None else [lyrics.plain(text[:1000]) for text in found.itertext()]
    words = tuple(dict.fromkeys(word for word in said if word and not _NO_WORD.match(word)))
    for tag in _LICENCE:
        for entry in root.iter(tag):
            licence = clean((entry.get(_RESOURCE) or entry.text or "")[:200])
            return words, "public domain" if re.search("public ?domain", licence, re.IGNORECASE) else licence
    return words, ""
