"""Songs of the corpus inside the installed music21 package (its scores; music21 itself is never imported).

**Licences.** The package says: "distributed with the permission of the encoders (and, where needed, the
composers or arrangers) and where permitted under United States copyright law. Some encodings included in the
corpus may not be used for commercial uses or have other restrictions". Most files name no licence. They are read
where they are installed; nothing of them is redistributed. `COLLECTIONS` holds what is known of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from unisono.datasets.mtm import musicxml
from unisono.errors import ConfigError, DataError, require
from unisono.io import archive


class Collection(NamedTuple):
    """A part of the corpus.

    Attributes
    ----------
    paths : tuple of str
        Its folders and files, below the corpus' folder.
    licence : str
    """

    paths: tuple[str, ...]
    licence: str


#: What `mtm.songs.music21.collections` may name. Left out on purpose: monteverdi (its lyrics are OCR garbage
#: under a publisher's name), corelli, theoryExercises and demos (figured bass and labels), and of leadSheet the
#: one song that says "All Rights Reserved".
COLLECTIONS: Mapping[str, Collection] = {
    "bach": Collection(
        ("bach",),
        "J. S. Bach, chorales (public domain); encodings '(c) Margaret Greentree, jsbchorales.net', some 'used "
        "by permission', no licence named",
    ),
    "trecento": Collection(
        ("trecento",),
        "14th-century Italian and Latin songs and mass movements (public domain); encodings name no licence",
    ),
    "songs": Collection(
        (
            "beach/prayer_of_a_tired_child.musicxml",
            "handel/rinaldo/Lascia_chio_pianga.mxl",
            "johnson_j_r/lift_every_voice.mxl",
            "leadSheet/fosterBrownHair.mxl",
            "liliuokalani/aloha_oe.mxl",
            "luca/gloria.xml",
            "lusitano/allor_che_ignuda.mxl",
            "schubert/Lindenbaum.xml",
            "schumann_robert/dichterliebe_no2.xml",
            "schumann_robert/opus48no2.mxl",
            "verdi/laDonnaEMobile.mxl",
            "webern/webern_dormi_jesu_op_16_no_2.mxl",
        ),
        "single songs in the public domain (Webern: in the US from 2023); encodings CC0 (Johnson, "
        "Liliuokalani, Lusitano), CC BY-SA (Beach, Luca, Webern), public domain (Foster), the others name none",
    ),
}


def folder() -> Path:
    """Find the corpus of the installed music21.

    Raises
    ------
    MissingExtra
        The package is not installed.
    DataError
        It came without its corpus.
    """
    corpus = Path(str(require("music21").origin)).parent / "corpus"
    if not corpus.is_dir():
        raise DataError(f"{corpus}: this music21 comes without its corpus; install the one from PyPI")
    return corpus


def members(collections: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Read the scores of some collections.

    Parameters
    ----------
    collections : sequence of str
        Names in `COLLECTIONS`.

    Yields
    ------
    (str, bytes)
        Path inside the corpus and content of a score.

    Raises
    ------
    ConfigError
        A collection is unknown.
    DataError
        The corpus, or a part of it, is not there.
    """
    corpus = folder()
    for name in dict.fromkeys(collections):
        if name not in COLLECTIONS:
            known = ", ".join(COLLECTIONS)
            raise ConfigError(f"mtm.songs.music21.collections: {name!r} is unknown; choose from {known}")
        for path in COLLECTIONS[name].paths:
            if not (corpus / path).exists():
                raise DataError(f"{corpus / path}: missing from music21's corpus; install music21 10.5 or later")
            prefix = path if (corpus / path).is_dir() else str(Path(path).parent)
            for member, data in archive.members(corpus / path, suffixes=musicxml.SUFFIXES):
                yield f"{prefix}/{member}", data


def collection(file: str) -> str:
    """Name the collection that a file of the corpus belongs to."""
    return next(
        name
        for name, (paths, _) in COLLECTIONS.items()
        if file in paths or file.startswith(tuple(f"{p}/" for p in paths))
    )
